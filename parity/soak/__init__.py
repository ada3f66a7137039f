"""How often a right implementation is called wrong, counted over fresh seeds."""
