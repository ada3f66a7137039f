"""How is it kept in a file? Weights, and the state of an optimizer, as others read and write them."""
