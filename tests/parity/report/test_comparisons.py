"""The page on a comparison says first what came out, then where, and its report is red where the two differ."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from made_up_records import bare, compared

from parity.report import write_report
from parity.report.comparisons import comparison_page, rows
from parity.results.planning import planned
from parity.results.store import Results, plain


def test_the_page_has_the_verdict_the_mend_and_every_layer_in_the_order_of_calls() -> None:
    page = comparison_page(plain(compared(passed=False)))
    assert "<h1>keras does not compute what torch computes</h1>" in page
    assert page.index("<h1>") < page.index("<code>eps=1</code>") < page.index('<h2 id="told"')
    table = page[page.index('aria-label="Layers, by order of call"') :].partition("</table>")[0]
    assert re.findall(r'<th scope="row"[^>]*>(.*?)<small>', table) == ["0", "1 and 2", "the whole model"]
    assert re.findall(r'<span class="badge \w+">(\w+)', table) == ["inherited", "own", "within"]
    assert "known: batchnorm-running-variance" in page
    sections = re.findall(r'<h2 id="([\w-]+)"', page)
    assert sections == ["told", "layers", "faults", "losses-of-training", "tensors", "weights", "raw"]
    assert not re.search(r'(src|href)="(?!#)', page)


def test_a_row_has_the_worst_of_both_modes_by_quantity_and_what_a_layer_holds_once() -> None:
    record = plain(compared(passed=False))
    for tensor in record["tensors"]:
        tensor["share"] = {"evaluation": 0.5, "training": 0.75}[tensor["mode"]]
    record["layers"].append(record["layers"][1] | {"called": "2 (call 2)", "site": "2 (call 2)"})
    first, second, again, whole = rows(record)
    assert first["used"].keys() == {"output", "output gradient"}
    assert second["used"].keys() == {"output", "state", "parameter gradient"}
    assert (again["used"], whole["used"].keys()) == ({}, {"output gradient"})
    assert second["used"]["output"]["module"] == "output of 2, training mode"


def test_what_was_not_judged_is_told_so_and_never_as_within() -> None:
    record = plain(compared(passed=True))
    (tensor,) = (each for each in record["tensors"] if each["mode"] == "training" and each["name"] == "output of 2")
    tensor.update(passed=None, beyond=3, share=0.1)
    page = comparison_page(record)
    table = page[page.index('aria-label="Layers, by order of call"') :].partition("</table>")[0]
    assert re.findall(r'<span class="badge \w+">([\w ]+)', table) == ["within", "not judged", "within"]
    assert "✓ 5 tensors within, 1 not judged" in page
    assert page.count("beyond the range: not judged") == 1
    assert "0 outside" in page


def test_the_report_is_red_where_two_models_do_not_compute_the_same(tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    results.write_environment({"stack": "stack", "packages": {}})
    for passed in (True, False):
        with planned(results, "compare port.py", {"comparisons": ["port.py"]}):
            results.append("comparisons", "port.py", compared(passed))
        summary = write_report([results.folder], tmp_path / "out")
        failures = ElementTree.parse(tmp_path / "out" / "junit.xml").findall(".//testcase[@name='port.py']/failure")
        assert len(failures) == (not passed)
        assert [group["kind"] for group in summary.document["reds"]] == ([] if passed else ["numbers"])
        assert "keras " in (tmp_path / "out" / "report.md").read_text()
    assert (summary.status, summary.exit_code) == ("different", 1)
    assert summary.headline == "Two models do not compute the same: port.py"
    assert failures[0].text == "\n".join(compared(passed=False).told)


def test_a_comparison_that_was_planned_and_is_not_there_makes_a_report_incomplete(tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    results.append("checks", "ReLU/float32", bare("checks"))
    with planned(results, "compare port.py", {"comparisons": ["port.py"]}):
        pass
    summary = write_report([results.folder], tmp_path / "out")
    assert (summary.status, summary.exit_code) == ("incomplete", 3)
    assert "1 of 1 planned items are missing" in summary.headline
