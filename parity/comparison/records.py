"""The record of a comparison: all that was found, in plain words and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from parity.comparison.curves import Curves
from parity.comparison.result import Beside, Comparison, Fault, Judged, describe
from parity.comparison.updates import Updates
from parity.ladder.trace import Key
from parity.results.records.comparisons import (
    ComparisonRecord,
    FaultPart,
    LayerPart,
    LossesPart,
    TensorPart,
    UpdatesPart,
)


def record_of(found: Comparison, key: str, seconds: float | None = None) -> ComparisonRecord:
    """The record of what was found, under this key; `seconds` is the time that it took."""
    headline, *_ = told = describe(found).split("\n")
    return ComparisonRecord(
        key=key,
        passed=found.passed,
        first=found.first,
        second=found.second,
        reference=found.reference,
        headline=headline,
        told=told,
        itself=_share(found.itself),
        tensors=[_tensor(mode, tensor) for mode, tensors in found.judged.items() for tensor in tensors],
        layers=[_layer(found, beside) for beside in found.layers],
        faults=list(map(_fault, found.faults)),
        weights=found.weights,
        aligned=found.aligned,
        calls=found.calls,
        alone=found.alone,
        unmodelled=found.unmodelled,
        notes=found.notes,
        updates=None if found.updates is None else _updates(found.updates),
        losses=None if found.curves is None else _losses(found.curves),
        form=found.form,
        seconds=seconds,
    )


def _share(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def _tensor(mode: str, judged: Judged) -> TensorPart:
    key = judged.key
    return TensorPart(
        mode=mode,
        rung=key.rung,
        layer=key.layer,
        quantity=key.quantity,
        tensor=key.tensor,
        name=judged.name,
        share=_share(judged.share),
        digits=judged.digits,
        passed=None if judged.passed and judged.beyond else judged.passed,
        beyond=judged.beyond,
        known="" if judged.known is None else judged.known.entry,
    )


def _layer(found: Comparison, beside: Beside) -> LayerPart:
    return LayerPart(
        called=beside.called,
        site=beside.site,
        title=beside.title,
        there=beside.there,
        title_there=beside.title_there,
        layer=beside.layer,
        error=_error(found, beside),
    )


def _error(found: Comparison, beside: Beside) -> Literal["", "own", "inherited"]:
    if any(fault.layer == beside.there for fault in found.faults):
        return "own"
    of = {beside.site, beside.layer}
    outside = any(t.key.layer in of and not t.passed for tensors in found.judged.values() for t in tensors)
    return "inherited" if outside else ""


def _fault(fault: Fault) -> FaultPart:
    told, mend = ("", "") if fault.cause is None else (fault.cause.told, fault.cause.mend)
    return FaultPart(
        layer=fault.layer,
        title=fault.title,
        beside=fault.beside,
        share=_share(fault.share),
        proven=fault.share is None,
        told=told,
        mend=mend,
    )


def _updates(found: Updates) -> UpdatesPart:
    return UpdatesPart(
        first=found.first,
        second=found.second,
        passed=found.passed,
        shares=_shares(found.shares),
        itself=_share(found.itself),
        told=[difference.told for difference in found.differences],
        mends=[difference.mend for difference in found.differences],
        known=[entry for entry, _ in found.known],
        settings=found.settings,
        beyond={str(key): number for key, number in found.beyond.items()},
    )


def _shares(found: Mapping[Key, float]) -> dict[str, float | None]:
    return {str(key): _share(share) for key, share in found.items()}


def _losses(found: Curves) -> LossesPart:
    def series(losses: list[float]) -> list[float | None]:
        return [loss if math.isfinite(loss) else None for loss in losses]

    return LossesPart(
        passed=found.parted is None,
        reference=series(found.reference),
        other=series(found.other),
        shares=list(map(_share, found.shares)),
        parted=found.parted,
        told="" if found.cause is None else found.cause.told,
        mend="" if found.cause is None else found.cause.mend,
    )
