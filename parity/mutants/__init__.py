"""Mutants of numpynet: one small change of its source each, which the ladder should see without any test of ours."""
