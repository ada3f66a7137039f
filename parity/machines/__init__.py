"""Other processors compute other bits: one machine stands in for many, by the switches of the libraries' kernels."""

from parity.machines.machine import MACHINES, Machine, find

__all__ = ["MACHINES", "Machine", "find"]
