"""The examples that a seed draws: the same on every machine, under every neighbouring release of Hypothesis.

Hypothesis' own generator collects constants from whatever modules are loaded, begins with examples whose size depends
on how many are asked for, and changes from release to release. Its strategies and its shrinking stay as they are; the
numbers below the strategies come from a provider of ours, which Hypothesis calls a backend: example i of a stream is
drawn from a generator of its own, seeded by the stream's name and i. So the first n examples of a larger run are those
of a run of n, and any one of them can be drawn alone. (Guided ones are another matter: see `parity.drawing.guided`.)

    https://hypothesis.readthedocs.io/en/latest/extensions.html#alternative-backends
    M. D. MacIver and A. F. Donaldson, Test-Case Reduction via Test-Case Generation, ECOOP 2020: choices that shrink.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
import random
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, PrimitiveProvider
from hypothesis.strategies import SearchStrategy

from numpynet import Array
from numpynet.module import each
from parity.case import Case
from parity.drawing.guided import Guide, Source
from parity.layout import step_of

BACKEND = "parity"
SPECIAL = 1 / 8  # how often a float is zero, an end of its range or not finite: small cases find these first
LONGER = 3 / 4  # with which probability text grows by one more character

_sources: ContextVar[Iterator[Source]] = ContextVar("_sources")


def for_each_example(
    property_: Callable[[Any], None],
    examples: SearchStrategy[Any],
    stream: str,
    number: int,
    *,
    shrink: bool = True,
    score: Callable[[], float] | None = None,
) -> None:
    """Call `property_` with the first `number` examples of `stream`; what is raised is about the shrunk example.

    With `score`, which tells how near the last example was to a failure, most examples are variations of the nearest.
    """
    drawn = seen = 0
    failed = False
    guide = Guide(stream, score)
    source = guide.source(0)

    def sources() -> Iterator[Source]:
        nonlocal drawn, source
        for drawn in itertools.count(1):
            source = guide.source(drawn)
            yield source

    def judged(example: Any) -> None:
        nonlocal seen, failed
        # Some releases begin with the simplest example of all, which is none of the stream's: one more is asked for.
        if not drawn or (seen == number and not failed):
            return
        seen += not failed
        try:
            property_(example)
        except BaseException:
            failed = True
            raise
        guide.note(source)

    test = settings(
        backend=BACKEND,
        max_examples=number + 1,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],  # it expects more of drawing than building a Keras model allows
    )(given(examples)(judged))
    token = _sources.set(sources())
    try:
        seed(0)(test)()  # shrinking makes random choices too
    finally:
        _sources.reset(token)


class Provider(PrimitiveProvider):
    """Makes the choices of one example from the stream's next source, uniformly among what is asked for."""

    lifetime = "test_case"

    @functools.cached_property
    def _source(self) -> Source:
        """The example's source, taken at its first choice, since releases make providers that are asked for none."""
        return next(_sources.get())

    @property
    def _random(self) -> random.Random:
        return self._source.generator

    def draw_boolean(self, p: float = 0.5, **_: Any) -> bool:
        return self._source.choice(lambda: self._random.random() < p, lambda value: isinstance(value, bool))

    def draw_integer(
        self,
        min_value: int | None = None,
        max_value: int | None = None,
        *,
        weights: dict[int, float] | None = None,
        **_: Any,
    ) -> int:
        low, high = (
            bound if bound is not None else sign * math.inf for bound, sign in ((min_value, -1), (max_value, 1))
        )
        return self._source.choice(
            lambda: self._integer(min_value, max_value), lambda value: type(value) is int and low <= value <= high
        )

    def _integer(self, min_value: int | None, max_value: int | None) -> int:
        if min_value is None or max_value is None:  # as many bits as not, down to none, away from the end there is
            size = self._random.getrandbits(self._random.randint(0, 64))
            if min_value is None and max_value is None:
                return size if self._random.random() < 0.5 else -size
            return min_value + size if min_value is not None else (max_value or 0) - size
        return self._random.randint(min_value, max_value)

    def draw_float(
        self,
        *,
        min_value: float = -math.inf,
        max_value: float = math.inf,
        allow_nan: bool = True,
        smallest_nonzero_magnitude: float = 0.0,
        **_: Any,
    ) -> float:
        def permitted(value: float) -> bool:
            if math.isnan(value):
                return allow_nan
            return min_value <= value <= max_value and (value == 0 or abs(value) >= smallest_nonzero_magnitude)

        special = [v for v in (0.0, -0.0, min_value, max_value, math.inf, -math.inf, math.nan) if permitted(v)]
        if special and self._random.random() < SPECIAL:
            return self._random.choice(special)
        finite = min_value > -math.inf and max_value < math.inf
        for _attempt in range(64):  # of the whole range, numbers of all sizes
            size = math.ldexp(self._random.random(), self._random.randint(-64, 64))
            value = size if self._random.random() < 0.5 else -size
            if finite:
                value = min_value + (max_value - min_value) * self._random.random()
            elif min_value > -math.inf or max_value < math.inf:
                value = min_value + size if max_value == math.inf else max_value - size
            if permitted(value):
                return value
        return special[0]

    def draw_string(self, intervals: Any, *, min_size: int = 0, max_size: int = 10**10, **_: Any) -> str:
        return "".join(chr(intervals[self._random.randrange(len(intervals))]) for _ in self._places(min_size, max_size))

    def draw_bytes(self, min_size: int = 0, max_size: int = 10**10, **_: Any) -> bytes:
        return bytes(self._random.getrandbits(8) for _ in self._places(min_size, max_size))

    def _places(self, min_size: int, max_size: int) -> range:
        size = min_size
        while size < max_size and self._random.random() < LONGER:
            size += 1
        return range(size)


AVAILABLE_PROVIDERS[BACKEND] = f"{__name__}.{Provider.__name__}"


def normal(seed: int, shape: tuple[int, ...]) -> Array:
    """Nearly normal numbers of mean 0 and standard deviation 1, float64 of `shape`, the same bits everywhere.

    NumPy's normal numbers call the system's logarithm, whose last bit depends on the processor. These are sums of four
    uniform numbers, scaled: additions and one product, which IEEE 754 rounds alike on every machine.
    """
    bits = np.random.PCG64(seed).random_raw(4 * math.prod(shape)).reshape(4, *shape)
    first, second, third, fourth = (bits >> np.uint64(11)) * 2.0**-53
    return np.asarray((((first + second) + (third + fourth)) - 2) * math.sqrt(3))


class Digest:
    """A digest of examples, in the order they come: equal ones mean the same examples."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, case: Case) -> None:
        """Take in everything that `case` holds: module, weights, random state, inputs, cotangents and training."""
        states = [vars(part).get("rng") for _, part in case.module.named_modules()]
        described = (
            case.module,
            [rng.bit_generator.state for rng in states if rng is not None],
            case.training,
            case.arguments,
            sorted(case.frozen),
            case.optimizer.__name__,
            [(step.lr, step.zero_grad, step.training, step.backwards) for step in case.steps],
            case.beside,
            sorted(case.apart),
        )
        self._hash.update(repr(described).encode())
        for values in case.module.state_dict().values():
            self._take(values)
        for step in case.steps:
            each(self._take, step.input)
            each(self._take, step.cotangent)
            if step.rehearsal is not None:
                each(self._take, step.rehearsal)

    def _take(self, values: Array) -> None:
        order = "F" if values.flags.f_contiguous and not values.flags.c_contiguous else step_of(values)
        self._hash.update(f"{values.dtype.str}{values.shape}{order}".encode() + np.ascontiguousarray(values).tobytes())

    def __str__(self) -> str:
        """The digest's first 64 bits, in hexadecimal digits."""
        return self._hash.hexdigest()[:16]
