"""Any two models: whether they compute the same function, and if not, which layer is at fault."""
