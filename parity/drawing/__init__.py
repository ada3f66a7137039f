"""How examples are drawn: the same everywhere, from numbers that every framework represents alike."""
