"""numpynet, as one of the implementations under test."""
