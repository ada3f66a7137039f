"""Emulated machines: other processors compute other bits, and one machine stands in for many.

It does so by the switches that choose the kernels of its libraries.
"""

from parity.machines.machine import MACHINES, Machine, find

__all__ = ["MACHINES", "Machine", "find"]
