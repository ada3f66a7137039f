"""The page of porting mistakes says what was measured, of the gallery as it is."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.mistakes import Gallery, page
from parity.comparison.gallery import MISTAKES, TWINS

ROOT = Path(__file__).parents[2]
KEPT = json.loads((ROOT / "benchmarks" / "mistakes.json").read_text())


def test_the_page_of_mistakes_is_made_of_what_was_measured() -> None:
    assert (ROOT / "docs" / "pages" / "mistakes.md").read_text() == page(KEPT)


def test_every_mistake_and_every_right_port_was_measured() -> None:
    assert list(KEPT["mistakes"]) == [mistake.name for mistake in MISTAKES]
    assert list(KEPT["right"]) == [twin.name for twin in TWINS]


def test_no_right_port_of_the_gallery_is_called_wrong() -> None:
    assert Gallery(KEPT).alarms == 0


def test_the_changelog_tells_how_many_mistakes_there_are() -> None:
    assert f"[gallery of {len(MISTAKES)} mistakes]" in (ROOT / "CHANGELOG.md").read_text()
