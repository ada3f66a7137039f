"""Planted defects: what they are, and how they are planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from numpynet import Optimizer
from numpynet.datasets import batch_order
from numpynet.training import Trainer
from parity.case import Case, computing, recast

T = TypeVar("T", bound=Callable[..., Any])


@dataclass(frozen=True)
class Defect:
    """A mistake that people make, planted to see on which rung it is caught.

    broken: a subclass of the layer, criterion, optimizer or trainer that makes it; or, where the mistake is in how
        batches are made, what stands for `batch_order`
    rung: the rung of the ladder that catches it at the latest
    dtype: the dtype in which it shows
    """

    broken: Any
    rung: int
    dtype: str

    @property
    def name(self) -> str:
        return self.broken.__name__

    @property
    def title(self) -> str:
        """The mistake in plain words."""
        return " ".join((self.broken.__doc__ or "").split()).rstrip(".")

    @property
    def family(self) -> str:
        return self.broken.__module__.rpartition(".")[2]

    @property
    def target(self) -> Any:
        """The class that it is planted in."""
        if not isinstance(self.broken, type):
            return Trainer
        return next(base for base in self.broken.__mro__ if base.__module__.startswith("numpynet."))

    @property
    def twin(self) -> Defect:
        """The same defect with something harmless in its place: a plain subclass of the target, or right batches."""
        broken = type("Harmless", (self.target,), {}) if isinstance(self.broken, type) else batch_order
        return replace(self, broken=broken)

    def plant(self, case: Case) -> Case:
        """The same case with the defect in its module or its optimizer."""
        if issubclass(self.target, Optimizer):
            return replace(case, optimizer=self.broken)
        return replace(case, module=recast(case.module, computing(case.module), self._broken))

    def plant_in_trainer(self, trainer: Trainer) -> Trainer:
        """A copy of the trainer with the defect in it, unless it is in the batches that the trainer is given."""
        return recast(trainer, [trainer, *computing(trainer.model)], self._broken)

    def _broken(self, part: Any) -> type | None:
        """The class that `part` is to be of: the broken one for an instance of the target."""
        return self.broken if type(part) is self.target and isinstance(self.broken, type) else None


_gallery: list[Defect] = []


def caught_on(rung: int, dtype: str = "float32") -> Callable[[T], T]:
    """Adds the decorated mistake to the gallery; its docstring is the title."""

    def add(broken: T) -> T:
        _gallery.append(Defect(broken, rung, dtype))
        return broken

    return add


def gallery() -> list[Defect]:
    """Every planted defect, family by family."""
    return list(_gallery)
