"""What is known of special values: what a framework makes of one otherwise than numpynet, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deviation:
    """Something that frameworks make of special values otherwise than numpynet, for some pairs.

    pairs, who: the classes and the frameworks, with spaces between them
    values: the names of the values (see `parity.catalogue.variation`), with commas between them
    turns: by quantity, what of numpynet's is what there, such as "NaN to finite"
    reason: why
    only: the words of a variation to which it is limited, such as "float32" or "last"
    when: limits it to some versions
    by: limits it to one of the two kinds of kernels of TensorFlow, "oneDNN" and "Eigen"
    """

    pairs: str
    values: str
    who: str
    turns: dict[str, str]
    reason: str
    only: tuple[str, ...] = ()
    when: str = ""
    by: str = ""
    source: str = ""

    def entries(self) -> list[tuple[str, str]]:
        """The pairs and values that it speaks of."""
        return [(pair, value) for pair in self.pairs.split() for value in self.values.split(", ")]


@dataclass(frozen=True)
class Uncompared(Deviation):
    """Quantities of a framework that are not compared, since they are not the same on every machine or not its own.

    turns: by quantity, what they may be
    """


FLUSHED = "TensorFlow takes subnormal numbers for 0, and makes a 0 of those that it would have to return"
FLUSHES = "https://github.com/tensorflow/tensorflow/issues/62399"


def flushed(pairs: str, values: str, what: str, only: tuple[str, ...] = ()) -> Deviation:
    """Says that TensorFlow flushes the numbers of this quantity, which are subnormal or made of subnormal ones."""
    return Deviation(pairs, values, "tensorflow", {what: "finite to zero"}, FLUSHED, only, source=FLUSHES)
