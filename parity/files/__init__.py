"""How is it kept in a file? The ordinary network that a model is in the files of frameworks, and how they are read."""
