"""Records: the store, what was planned, which packages and which code they are of."""
