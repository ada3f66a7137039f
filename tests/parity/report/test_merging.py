"""What several stacks say alike is one row of the page, and what one of them says otherwise is not lost in it."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from made_up_records import STACK, filled
from plotly import graph_objects, offline

from parity.report import page, write_report
from parity.report.merging import hardest, in_words, largest, merged
from parity.results.records import Json

STACKS = [STACK.replace("2.21.0", f"2.{minor}.0") for minor in range(16, 22)]
ODD = dict.fromkeys(STACKS, "refuses") | {STACKS[2]: "accepts"}
MEGABYTES_OF_SIX = 2.0  # that a report of six stacks may weigh


def row(stack: str, **fields: Any) -> Json:
    return {"stack": stack, "pair": "Linear", "passed": True, "message": "", **fields}


def test_alike_in_all_stacks_is_one_row_and_another_result_in_one_is_another() -> None:
    rows = [row(stack, message="off" if stack == "b" else "") for stack in "abc"]
    found = merged(rows, ["pair", "message"], list("abc"))
    assert [(each["stack"], each["message"]) for each in found] == [("all but b", ""), ("b", "off")]
    assert merged([row(stack) for stack in "abc"], ["pair"], list("abc")) == [
        {"pair": "Linear", "stack": "all 3 stacks"}
    ]


def test_a_stack_without_the_record_is_not_among_all() -> None:
    assert [each["stack"] for each in merged([row("a"), row("c")], ["pair"], list("abc"))] == ["all but b"]


def test_no_field_is_left_that_the_stacks_may_differ_in() -> None:
    (found,) = merged([row("a"), row("b", message="off")], ["pair", "passed"], ["a", "b"])
    assert set(found) == {"pair", "passed", "stack"}


def test_one_stack_keeps_its_name() -> None:
    assert in_words(["a"], ["a"]) == "a"
    assert in_words(["a"], ["a", "b", "c"]) == "a"


def test_the_largest_share_of_all_stacks_says_whose_it_is() -> None:
    shares: list[Json] = [
        {"stack": stack, "pair": "Linear", "dtype": "float32", "quantity": "output", "used": {"torch": {"share": used}}}
        for stack, used in (("a", 0.25), ("b", None), ("c", 0.5))
    ]
    (found,) = largest(shares, ("pair", "dtype", "quantity"))
    assert found["used"]["torch"] == {"share": None, "stack": "b"}  # an infinite one


def test_a_curve_is_drawn_of_the_stack_in_which_it_is_hardest() -> None:
    curves: list[Json] = [
        {"stack": stack, "key": "digits", "passed": passed, "used": {"torch": used}, "losses": {"torch": [1.0]}}
        for stack, passed, used in (("a", True, 0.9), ("b", False, 0.1), ("c", None, 0.0))
    ]
    assert [curve["stack"] for curve in hardest(curves)] == ["b"]
    assert [curve["stack"] for curve in hardest([*curves[:1], *curves[2:]])] == ["a"]


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> tuple[Json, Path]:
    """The report of six stacks, of which one accepts what the others refuse, and its folder."""
    folder = tmp_path_factory.mktemp("six")
    filled(folder / STACKS[0], stack=STACKS[0])
    for stack in STACKS[1:]:
        shutil.copytree(folder / STACKS[0], folder / stack)
        for name, old, new in (("environment.json", STACKS[0], stack), ("refusals.jsonl", "refuses", ODD[stack])):
            file = folder / stack / name
            file.write_text(file.read_text().replace(old, new, 1))
    document = write_report([folder / stack for stack in STACKS], folder / "out").document
    return document, folder / "out"


def test_what_one_stack_accepts_stands_beside_what_the_others_do(six: tuple[Json, Path]) -> None:
    text = (six[1] / "report.html").read_text()
    section = text[text.index('id="refusals"') : text.index('id="specials"')]
    rows = [
        re.split("<td.*?>", row)[1:]
        for row in section.partition("<tbody>")[2].partition("</tbody>")[0].split("<tr>")[1:]
    ]
    assert [(row[1], row[-1]) for row in rows] == [("refuses", f"all but {STACKS[2]}"), ("accepts", STACKS[2])]
    assert text.count('<td class="stack">all 6 stacks') > 3


def test_a_report_of_six_stacks_is_light(six: tuple[Json, Path]) -> None:
    assert len(six[0]["stacks"]) == 6
    assert (six[1] / "report.html").stat().st_size < MEGABYTES_OF_SIX * 1e6


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    folder = tmp_path_factory.mktemp("figures")
    filled(folder / "results")
    document = write_report([folder / "results"], folder / "out").document
    return {key: json.loads(chart.json) for key, chart in page._charts(document, page._derived(document)).items()}


def test_every_figure_is_one_of_plotlys(figures: dict[str, Json]) -> None:
    kinds = {trace["type"] for figure in figures.values() for trace in figure["data"]}
    assert kinds == {"scatter", "bar"}  # which the bundle has
    for figure in figures.values():
        graph_objects.Figure(figure)  # raises ValueError for a field or a value that plotly does not know


def test_titles_of_axes_are_objects_as_plotly_js_takes_them(figures: dict[str, Json]) -> None:
    """Python's plotly takes texts too, of which plotly.js shows nothing."""
    layouts = [figure["layout"] for figure in figures.values()]
    axes = [layout[name] for layout in layouts for name in layout if name[1:].startswith("axis")]
    titles = [axis["title"] for axis in axes if "title" in axis]
    assert len(titles) >= len(figures)
    assert all(title["text"] for title in titles)


def test_the_bundle_is_plotlys_of_one_version_and_its_licence_lies_beside_it() -> None:
    folder = Path(page.__file__).parent
    head = gzip.decompress((folder / "plotly-basic.min.js.gz").read_bytes())[:200].decode()
    version = re.search(r"plotly\.js \(basic - minified\) v([\d.]+)", head)
    assert version
    assert "MIT" in (folder / "plotly-basic.LICENSE").read_text()
    whole = re.search(r"plotly\.js v([\d.]+)", offline.get_plotlyjs()[:200])
    assert whole
    if whole[1].split(".")[0] == version[1].split(".")[0]:  # the oldest stack has another one
        assert whole[1] == version[1], "CONTRIBUTING says how to make the bundle of the new release"
