"""How far an implementation may be off: the model of rounding, and the allowance that follows from it."""
