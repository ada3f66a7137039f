"""Files of weights: the ordinary network that a model is in a framework's files, and how these are read and written."""
