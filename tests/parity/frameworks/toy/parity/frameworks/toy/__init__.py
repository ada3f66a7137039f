"""A fourth framework, for the tests: numpynet behind a thin disguise."""
