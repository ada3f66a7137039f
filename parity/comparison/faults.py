"""Whose fault it is: each layer of the other model is given what comes into it and back to it in the reference."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from parity.comparison.alignment import Aligned
from parity.comparison.causes import together
from parity.comparison.own import Bench, OwnError
from parity.comparison.result import Fault

PROVEN = 3  # times: the batch normalisations of a deep network have all the same eps, and it matters in each
EVERYWHERE = ("eps", "momentum")  # the settings that matter whatever a layer is given; a padding does not


def faults(bench: Bench, pairs: Sequence[Aligned]) -> Iterator[Fault]:
    """Yields the layers whose own error is outside, in the order in which they are called.

    Before one is accused that no known difference explains, there is another look at its allowance. What a difference
    has done `PROVEN` times, it is taken to do in further layers that have it.
    """
    proven: Counter[tuple[str, str]] = Counter()
    for pair in pairs:
        differences = {(call.layer.title, cause.told): (call, cause) for call, cause in pair.causes()}
        known = next((cause for key, (_, cause) in differences.items() if proven[key] >= PROVEN), None)
        beside = " and ".join(call.site for call in pair.reference)
        if pair.other.layer.kind == "dropout":  # it is told by its rate alone: by itself it drops at random
            if differences:
                _, rate = next(iter(differences.values()))
                yield Fault(pair.other.site, pair.other.layer.title, beside, math.inf, rate)
            continue
        if known is not None:
            yield Fault(pair.other.site, pair.other.layer.title, beside, None, known)
            continue
        if (own := OwnError.of(bench, pair)) is None or (share := own.settled()) is None or share <= 1:
            continue
        tried = ((call, cause) for call, cause in differences.values() if cause.removes(own.share))
        call, cause = next(tried, (pair.other, None))
        if cause is None:
            several = together([cause for call, cause in differences.values() if call is pair.other])
            cause = next((cause for cause in several if cause.removes(own.share)), None)
        if cause is not None and cause.name in EVERYWHERE:
            proven[pair.other.layer.title, cause.told] += 1
        elif cause is None:
            share = own.settled_again()
            if share is None or share <= 1:
                continue
        yield Fault(call.site, call.layer.title, beside, share, cause, own.backward())
