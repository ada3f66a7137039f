"""The page of architectures says what was measured, of the architectures as they are."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.architectures import page

ROOT = Path(__file__).parents[2]
KEPT = json.loads((ROOT / "benchmarks" / "architectures.json").read_text())
WITHIN = {"outside": 0, "tensors": {"evaluation": 4}, "share": 0.5, "ratio": 12.0, "seconds": 3.0}
FAULT = {"layer": "bn", "title": "BatchNormalization", "number": 3, "told": "eps: 1e-5 there", "mend": "epsilon=1e-05"}
FOUND: dict[str, Any] = {
    "where": {"versions": {"torch": "2.0"}},
    "asked": ["net", "other"],
    "architectures": {
        "net": {
            "source": "written in both",
            "parameters": 2e6,
            "megabytes": 900,
            "came": {**WITHIN, "faults": [], "aligned": 3, "calls": 4, "notes": []},
        }
    },
}


def test_the_page_of_architectures_is_made_of_what_was_measured() -> None:
    assert (ROOT / "docs" / "pages" / "architectures.md").read_text() == page(KEPT)


def test_what_is_written_in_both_is_within_as_it_comes() -> None:
    assert {"LSTM", "GRU", "transformer encoder", "transformer decoder"} <= set(KEPT["architectures"])
    assert all(
        found["came"]["outside"] == 0
        for found in KEPT["architectures"].values()
        if found["source"] == "written in both"
    )


def test_what_differs_is_named_with_what_mends_it() -> None:
    assert "1 architectures" in page(FOUND)
    assert "Not measured yet: other." in page(FOUND)
    assert "within, share 0.5; 4 tensors in evaluation" in page(FOUND)
    wrong = copy.deepcopy(FOUND)
    net = wrong["architectures"]["net"]
    net["mended"] = net["came"]
    net["came"] = net["came"] | {"outside": 2, "first": "output of bn", "faults": [FAULT]}
    told = page(wrong)
    assert "2 of 4 tensors outside, in evaluation" in told
    assert "- bn (BatchNormalization), and 2 more: eps: 1e-5 there; mend: `epsilon=1e-05`" in told


@pytest.mark.parametrize(
    ("faults", "said"),
    [([], "no layer that could be compared alone is at fault"), ([{**FAULT, "told": ""}], "no known")],
)
def test_what_is_not_explained_is_said(faults: list[Any], said: str) -> None:
    wrong = copy.deepcopy(FOUND)
    wrong["architectures"]["net"]["came"] |= {"outside": 2, "first": "output of bn", "faults": faults}
    assert said in page(wrong)
