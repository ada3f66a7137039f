"""Mutants: small changes of the source, of numpynet for the ladder to see, of what judges in parity for its tests."""
