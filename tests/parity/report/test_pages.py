"""The documentation's pages of measured things are drawn from records, and from whole ones alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from parity.cli import app
from parity.results.store import Results

DEFECT = {"title": "Forgets | the bias", "target": "Linear", "rung": 2, "examples": 3, "passed": True}
BASELINE = {"caught": True, "by": "parameters"}
DIFFERENCE = {
    "topic": "losses",
    "title": "One means, the other sums.",
    "does": {"torch": "means", "keras": "sums", "tensorflow": "as Keras"},
    "mapping": "divide",
    "when": "torch<2.8",
    "naive": 2.0,
    "mapped": 1e-9,
    "measured": True,
    "passed": True,
    "sources": ["https://example.org/loss"],
}


def written(folder: Path, kind: str, **records: dict[str, Any]) -> str:
    for key, record in records.items():
        Results(folder).append(kind, key, record)
    done = CliRunner().invoke(app, ["pages", str(folder / "pages"), "--results", str(folder)])
    assert done.exit_code == 0, done.output
    return (folder / "pages" / f"{kind}.md").read_text(encoding="utf-8")


def test_a_defect_is_on_the_rung_that_caught_it_and_counted_there(tmp_path: Path) -> None:
    missed = DEFECT | {"passed": False, "rung": None}
    page = written(
        tmp_path, "defects", Wrong=DEFECT | {"baseline": BASELINE}, Missed=missed | {"baseline": {"caught": False}}
    )
    assert "| gradient (rung 2) | 1 | 0 |" in page
    assert "| step (rung 3) | 0 | 1 |" in page
    assert "| nobody | 1 | 1 |" in page
    assert "| Forgets \\| the bias (`Wrong`) | Linear | 2 | 3 | parameters |" in page
    assert "(`Missed`) | Linear | **nobody** | 3 | **nobody** |" in page


def test_where_the_baseline_was_not_tried_the_page_says_so(tmp_path: Path) -> None:
    page = written(tmp_path, "defects", Wrong=DEFECT | {"baseline": None})
    assert "(`Wrong`) | Linear | 2 | 3 | not tried |" in page
    assert "| nobody | 0 | 0 |" in page


def test_a_difference_has_its_mapping_its_sources_and_what_was_measured(tmp_path: Path) -> None:
    elsewhere = DIFFERENCE | {"measured": False, "naive": None, "mapped": None, "passed": None}
    wrong = DIFFERENCE | {"passed": False}
    page = written(tmp_path, "differences", loss=DIFFERENCE, elsewhere=elsewhere, wrong=wrong)
    assert "| torch | means |\n| keras | sums |\n| tensorflow | as Keras |\n| mapping | divide |" in page
    assert "| measured | apart 2, mapped 1e-09 |" in page
    assert "| measured | not measured |" in page
    assert "| measured | **not as stated**: apart 2, mapped 1e-09 |" in page
    assert "| sources | <https://example.org/loss> |" in page
    assert "`torch<2.8`" in page


def test_a_special_value_has_its_policy_and_what_is_alike_elsewhere_stands_once(tmp_path: Path) -> None:
    alike = {"passed": True, "pair": "Tanh", "value": "+inf", "policy": "nothing"}
    apart = {"passed": True, "policy": "output: -inf", "does": {"torch": "output: |-inf| to NaN"}, "reasons": ["why"]}
    page = written(
        tmp_path,
        "specials",
        **{"Tanh/+inf": alike},
        **{
            "GELU/-inf": apart | {"pair": "GELU", "value": "-inf"},
            "SiLU/-inf": apart | {"pair": "SiLU", "value": "-inf"},
        },
    )
    assert "| `Tanh` |  | nothing |  |  |  |  |  |" in page
    assert "| `SiLU` |  |  | output: -inf |  |  |  |  |" in page
    assert "| `GELU/-inf`, `SiLU/-inf` | torch, output: \\|-inf\\| to NaN | why |" in page


def test_no_page_is_made_of_a_crash_or_of_nothing(tmp_path: Path) -> None:
    def said() -> str:
        done = CliRunner().invoke(app, ["pages", str(tmp_path / "pages"), "--results", str(tmp_path)])
        assert done.exit_code != 0
        return done.output

    assert "no records to write pages of" in said()
    Results(tmp_path).append("defects", "Wrong", {"status": "crashed", "message": "killed"})
    assert "Wrong crashed: run `parity defects` again" in said()
    assert not list((tmp_path / "pages").glob("*.md"))


@pytest.mark.parametrize("kind", ["differences", "specials", "defaults", "defects", "experiments"])
def test_the_committed_pages_say_what_made_them(kind: str) -> None:
    page = Path(__file__).parents[3] / "docs" / "pages" / f"{kind}.md"
    assert "`parity pages` made this page" in page.read_text(encoding="utf-8")
