"""Rungs 1 to 3: outputs, gradients and update steps of one case, in every implementation, against the reference."""
