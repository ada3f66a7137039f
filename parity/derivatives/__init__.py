"""Exact derivatives of the reference, by forward-mode differentiation."""
