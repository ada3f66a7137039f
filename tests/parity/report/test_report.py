"""The report says what the records say, no more and no less, in four formats that their readers can open."""

from __future__ import annotations

import functools
import html
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from made_up_records import DEFECTS, N_TEST, SEEDS, STACK, add_facts, add_ladder, add_modes, add_study, bare, filled

from parity.mutants.reasons import Reason
from parity.report import Summary, page, write_report
from parity.report.schema import FILE as SCHEMA_FILE
from parity.report.schema import current
from parity.results.planning import planned
from parity.results.store import Results, ResultsError

OLDER = "numpy1.26.4-torch2.2.2-tf2.16.2"

Json = dict[str, Any]
Filling = Callable[[Results], object]  # appends records
Full = tuple[Summary, Path]  # of a report, with its folder


def report(tmp_path: Path, *fill: Filling) -> Full:
    """The summary and the folder of a report on results that each of `fill` appends to, by a plan of theirs."""
    results = Results(tmp_path / "stack")
    results.folder.mkdir()
    if fill:
        with planned(results, "made up", {}):
            for append in fill:
                append(results)
    return write_report([results.folder], tmp_path / "out"), tmp_path / "out"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Full:
    folder = tmp_path_factory.mktemp("full")
    filled(folder / "results")
    return write_report([folder / "results"], folder / "out"), folder / "out"


def schema() -> Any:
    return pytest.importorskip("jsonschema").Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))


ONE_FRAMEWORK = (
    lambda results: add_ladder(results, ["torch"]),
    lambda results: add_study(results, frameworks=["torch"]),
)


def bare_records(results: Results) -> None:
    for kind in ("checks", "curves", "defects"):
        results.append(kind, "a/b", bare(kind, passed=None))
    results.append("runs", "a/b", bare("runs"))


FAILING = (lambda results: add_ladder(results, failing="SoftMax/float32"),)
CASES: dict[str, tuple[Filling, ...]] = {
    "nothing": (),
    "ladder only": (add_ladder,),
    "facts only": (add_facts,),
    "study only": (add_study,),
    "one framework": ONE_FRAMEWORK,
    "a failure": FAILING,
    "bare records": (bare_records,),
    "diverged": (lambda results: add_study(results, lost=[("torch", 3)]),),
}


Made = Callable[[str], Full]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The report of a case, made once for all that is asked of it."""
    return functools.cache(lambda name: report(tmp_path_factory.mktemp("case"), *CASES[name]))


@pytest.mark.parametrize("name", CASES)
def test_whatever_is_missing_all_four_files_are_written_and_the_json_follows_its_schema(name: str, made: Made) -> None:
    summary, out = made(name)
    document = json.loads((out / "report.json").read_text())
    schema().validate(document)
    assert document == summary.document
    assert f"<h1>{html.escape(summary.headline)}</h1>" in (out / "report.html").read_text()
    assert summary.headline in (out / "report.md").read_text().splitlines()[0]
    ElementTree.parse(out / "junit.xml")


def test_a_full_report_follows_the_schema_and_shows_every_section_in_order(full: Full) -> None:
    summary, out = full
    schema().validate(summary.document)
    assert (summary.status, summary.exit_code, summary.not_compared) == ("held", 0, ())
    assert summary.headline == "Rungs 1 to 5 held: accuracies equivalent within ±0.5 points"
    text = (out / "report.html").read_text()
    sections = re.findall(r'<h2 id="([\w-]+)"', text)
    order = (
        "compared controls primary differences-per-seed curves agreement power calibration allowances modes "
        "comparisons defects known experiments soak machines limitations raw"
    )
    assert sections == order.split()
    assert text.index("<h1>") < text.index("<h2")


def test_the_schema_is_made_of_the_records_as_they_are_now() -> None:
    """Where it is not: python -m parity.report.schema."""
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == current()


def test_the_schema_refuses_what_is_not_a_report(full: Full) -> None:
    broken: Json
    for broken in ({"schema": 1}, {"verdict": {}}, {"unknown": 1}, {"studies": [{"name": "digits"}]}):
        assert not schema().is_valid(full[0].document | broken)


def test_numbers_in_the_text_are_those_of_the_json(full: Full) -> None:
    document = json.loads(json.dumps(full[0].document))
    document["studies"][0]["pairs"][0]["test"]["difference"] = 0.0123456
    document["allowances"][0]["used"]["torch"]["share"] = 0.98765
    document["differences"][0]["naive"] = 4321.5
    text, summary = page.html(document), page.markdown(document)
    assert all(shown in text for shown in (">+1.2346<", ">0.988<", ">4322<"))
    assert all(shown in summary for shown in ("+1.2346 |", "4322 |"))


def numbers_in(text: str) -> set[str]:
    """The numbers that a reader sees, as written; a minus is read as a sign and left out."""
    return set(re.findall(r"\d+(?:\.\d+)?(?:e[−+-]\d+)?", text))


def readable(page: str) -> str:
    """Titles included, what is invisible left out."""
    page = re.sub(r"<(script|style).*?</\1>|<i aria-hidden.*?</i>|<!--.*?-->", " ", page, flags=re.DOTALL)
    titles = re.findall(r' (?:title|aria-label|alt)="([^"]*)"', page)
    return html.unescape(" ".join([re.sub(r"<[^>]+>", " ", page), *titles]))


def every(item: Any) -> Iterator[str | float]:
    """All keys, strings and numbers of a JSON document, the lengths of its lists, and how many items in a list are
    alike in a field."""
    if isinstance(item, dict):
        for key, value in item.items():
            yield key
            yield from every(value)
    elif isinstance(item, list):
        yield len(item)
        records = [record for record in item if isinstance(record, dict)]
        fields = {field for record in records for field in record}
        for field in fields:
            yield from Counter(str(record.get(field)) for record in records).values()
        for value in item:
            yield from every(value)
    elif item is not None and not isinstance(item, bool):
        yield item


def written(document: Json) -> Iterator[str]:
    """Every way in which the report may write a number of the document."""
    for item in every(document):
        if isinstance(item, str):
            for shown in (item, item[:8], item[:12]):  # digests are shortened
                yield from numbers_in(shown)
        else:
            for value in (abs(item), 100 * abs(item)):
                yield from (format(value, form) for form in (".0f", ".1f", ".3f", ".4f", ".3g", ".4g", ".2e", "g"))


def test_every_number_in_the_text_is_one_of_the_json(full: Full, made: Made) -> None:
    document = full[0].document
    nothing = made("nothing")[0].document
    for draw, shown in ((page.html, readable), (page.markdown, html.unescape)):
        fixed = numbers_in(shown(draw(nothing)))  # those of the questions and explanations
        fixed |= numbers_in(
            " ".join(re.findall(r"<p class=.lead.>.*?</p>|<figcaption>.*?</figcaption>", draw(document)))
        )
        unknown = numbers_in(shown(draw(document)).replace("−", "-")) - {text.replace("−", "-") for text in fixed}
        assert unknown - set(written(document)) <= {"0.0001", "0.9999", "0.001"}  # the smallest that are written out
        assert "7.5310" in numbers_in(shown(draw(document) + "<p>7.5310</p>")) - set(written(document))


def test_an_inconclusive_study_is_not_green_and_says_how_many_seeds_would_decide(tmp_path: Path) -> None:
    summary, out = report(tmp_path, lambda results: add_study(results, seeds=8, swaps=20))
    needed = max(pair["seeds_to_decide"] or 0 for pair in summary.document["studies"][0]["pairs"])
    assert (summary.status, summary.exit_code) == ("inconclusive", 2)
    assert f"about {needed} seeds would decide" in summary.headline
    assert f"about {needed} seeds would decide" in (out / "report.html").read_text()
    assert "quivalent within" not in (out / "report.html").read_text()
    suite = ElementTree.parse(out / "junit.xml").find(".//testsuite[@name='studies']")
    assert suite is not None
    assert suite.get("failures") == "1"


def test_what_is_out_of_reach_for_one_pair_is_so_for_the_study(tmp_path: Path) -> None:
    def one_out_of_reach(results: Results) -> None:
        add_study(results, seeds=8, swaps=20)
        (record,) = results.read("studies")
        record["verdict"]["pairs"][0]["seeds_to_decide"] = None
        results.append("studies", record["key"], record)

    assert "more than 1048576 seeds" in report(tmp_path, one_out_of_reach)[0].headline


def test_equivalence_is_claimed_only_where_it_was_shown(tmp_path: Path) -> None:
    summary, out = report(tmp_path, lambda results: add_study(results, shift=9))
    assert (summary.status, summary.exit_code, summary.headline) == ("different", 1, "Final accuracies differ: digits")
    for name in ("report.html", "report.md"):
        text = (out / name).read_text().lower()
        assert "no significant difference" not in text
        assert text.count("equivalent within") == ("html" in name)  # numpynet and torch, in the page's pair by pair


def test_a_failure_is_told_in_every_format_and_cannot_break_out_of_the_page(made: Made) -> None:
    summary, out = made("a failure")
    assert (summary.exit_code, summary.headline) == (1, "Implementations part on rung 2 (gradient): SoftMax/float32")
    assert "</script><b>" not in (out / "report.html").read_text()
    assert "&lt;/script&gt;&lt;b&gt;&amp;" in (out / "report.html").read_text()
    case = ElementTree.parse(out / "junit.xml").find(".//testcase[@name='SoftMax/float32']")
    assert case is not None
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "rung 2 (gradient): input gradient of SoftMax(1, 1)"
    (worst,) = summary.document["largest_used"]
    assert (worst["used"]["tensorflow"]["share"], worst["used"]["tensorflow"]["pair"]) == (None, "SoftMax")
    assert 0 < worst["used"]["torch"]["share"] < 1


def test_a_defect_that_escapes_makes_everything_invalid(tmp_path: Path) -> None:
    escaped = next(iter(DEFECTS))
    summary, out = report(tmp_path, add_ladder, add_study, lambda results: add_facts(results, escaped))
    assert (summary.status, summary.exit_code) == ("invalid", 3)
    assert "not all planted defects caught" in summary.headline
    assert len(ElementTree.parse(out / "junit.xml").findall(".//testsuite[@name='defects']/testcase/failure")) == 1


def test_a_twin_that_the_ladder_caught_is_red_and_the_baselines_alarms_are_counted(tmp_path: Path) -> None:
    for folder in ("held", "caught"):
        (tmp_path / folder).mkdir()
    _, out = report(tmp_path / "held", add_ladder, add_study, add_facts)
    assert "the baseline raised 1 false alarms" in (out / "report.html").read_text()
    caught = {"passed": False, "message": "rung 1 (output): output, step 1", "baseline": None}
    summary, out = report(tmp_path / "caught", add_ladder, add_study, lambda r: r.append("twins", "ReLU", caught))
    assert (summary.status, summary.exit_code) == ("invalid", 3)
    assert "undamaged twins left alone" in summary.headline
    assert len(ElementTree.parse(out / "junit.xml").findall(".//testsuite[@name='twins']/testcase/failure")) == 1


def test_mutants_of_numpynet_and_of_the_judgement_are_scored_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mutants(results: Results) -> None:
        for number, passed in enumerate((True, True, False)):
            for module in ("numpynet.linear", "parity.ladder.judge"):
                diff = [f"-    a{number}", f"+    b{number}"]
                record = bare("mutants", module=module, diff=diff, passed=passed)
                results.append("mutants", f"{module}/{number}", record)

    known = Reason("parity.ladder.judge", ("-a2", "+b2"), True, "It is the same.")
    monkeypatch.setattr("parity.mutants.reasons.reasons", lambda: [known])
    summary, out = report(tmp_path, add_ladder, mutants)
    scores = {
        score["of"]: (score["killed"], score["mutants"], score["equivalent"])
        for score in summary.document["mutant_scores"]
    }
    assert scores == {"numpynet": (2, 3, 0), "judgement": (2, 3, 1)}
    text = (out / "report.md").read_text()
    assert "of numpynet, killed by the ladder | 2 of 3; 0 of the others equivalent" in text
    assert "of parity's judgement, killed by its tests | 2 of 3; 1 of the others equivalent" in text
    shown = (out / "report.html").read_text()
    assert "the ladder killed 2 of 3 mutants" in shown
    assert "<code>a2</code>" in shown
    assert "<code>a1</code>" not in shown


def test_with_one_framework_the_report_says_what_was_not_compared(made: Made) -> None:
    summary, out = made("one framework")
    assert "nothing was compared with tensorflow, of which there are no results" in summary.not_compared
    assert [pair["second"] for pair in summary.document["studies"][0]["pairs"]] == ["torch"]
    assert (summary.status, summary.exit_code) == ("partial", 0)
    assert summary.headline == (
        "In part: rungs 1 to 5 held: accuracies equivalent within ±0.5 points, of numpynet and torch alone"
    )
    assert "nothing was compared with tensorflow" in (out / "report.md").read_text()


def test_a_run_that_diverged_is_reported_and_stays_in_the_denominator(made: Made) -> None:
    summary, out = made("diverged")
    study = summary.document["studies"][0]
    assert (summary.exit_code, study["outcome"]) == (3, "invalid")
    assert (study["accuracies"]["torch"]["runs"], study["accuracies"]["torch"]["finished"]) == (SEEDS, SEEDS - 1)
    assert "NaN in epoch 3" in (out / "report.html").read_text()
    suite = ElementTree.parse(out / "junit.xml").find(".//testsuite[@name='studies']")
    assert suite is not None
    assert suite.get("errors") == "1"


def test_runs_without_a_verdict_are_said_to_be_undecided(tmp_path: Path) -> None:
    def stopped(results: Results) -> None:
        add_study(results)
        (results.folder / "studies.jsonl").unlink()

    summary, _ = report(tmp_path, stopped)
    assert summary.status == "partial"
    assert "study digits has no verdict: it was stopped before its end" in summary.not_compared


def test_agreement_is_counted_per_seed_from_the_packed_bits(full: Full) -> None:
    for pair in full[0].document["studies"][0]["pairs"]:
        assert len(pair["per_seed"]) == pair["agreement"]["seeds"] == SEEDS
        for seed in pair["per_seed"]:
            table = seed["agreement"]
            both, won, lost, neither = (table[name] for name in ("both", "only_first", "only_second", "neither"))
            assert both + won + lost + neither == N_TEST
            assert won - lost == round(N_TEST * seed["difference"])
            assert table["churn"] == (won + lost) / N_TEST
            assert table["tango_95"][0] < (won - lost) / N_TEST < table["tango_95"][1]


def test_stacks_merge_into_a_matrix_and_jobs_of_one_stack_into_one(tmp_path: Path) -> None:
    filled(tmp_path / "a")
    filled(tmp_path / "b", stack=OLDER, shift=9)
    filled(tmp_path / "c")
    summary = write_report([tmp_path / name for name in "abc"], tmp_path / "out")
    assert [stack["name"] for stack in summary.document["stacks"]] == [STACK, OLDER]
    assert [study["outcome"] for study in summary.document["studies"]] == ["equivalent", "different (material)"]
    assert (summary.exit_code, summary.headline) == (1, f"Final accuracies differ: digits ({OLDER})")
    text = (tmp_path / "out" / "report.html").read_text()
    matrix = text[text.index("Stacks side by side") : text.index('aria-label="Primary results"')]
    assert matrix.count('class="badge') == 6
    assert all(
        f"{100 * a['mean']:.3f}%" in matrix for s in summary.document["studies"] for a in s["accuracies"].values()
    )


def test_torn_lines_are_mentioned_and_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    summary, _ = report(tmp_path, add_ladder, lambda results: (results.folder / "runs.jsonl").write_text('{"schema'))
    assert any("torn" in note for note in summary.document["notes"])
    with pytest.raises(ResultsError, match="is no folder"):
        write_report([tmp_path / "nowhere"], tmp_path / "out")


def test_neither_framework_is_imported(full: Full, tmp_path: Path) -> None:
    code = "import sys; from parity.report import write_report; write_report(sys.argv[1:2], sys.argv[2])"
    code += "; print(sorted({'torch', 'tensorflow', 'keras'} & set(sys.modules)))"
    command = [sys.executable, "-c", code, str(full[1].parent / "results"), str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_page_loads_nothing_and_links_only_to_pages(full: Full) -> None:
    text = (full[1] / "report.html").read_text()
    assert "default-src 'none'" in text
    own = text[: text.index('<script type="text/plain" id="plotly">')]
    assert not re.search(r'(src|href)="(?!#|report\.json|data:image/png|https?://)', own)
    assert not re.search(r'src="http|<link|@import|url\(', own)
    assert 'href="https://example.org/issue"' in own


def test_the_summary_is_one_screen_and_the_rest_is_folded(full: Full, tmp_path: Path) -> None:
    filled(tmp_path / "older", stack=OLDER)
    write_report([full[1].parent / "results", tmp_path / "older"], tmp_path / "out")
    for folder in (full[1], tmp_path / "out"):
        text = (folder / "report.md").read_text()
        assert len(text[: text.index("<details>")].splitlines()) <= 40
        outside = re.sub(r"<details>.*?</details>", "", text[text.index("<details>") :], flags=re.DOTALL)
        assert not outside.strip()


def test_a_mode_that_parts_makes_the_report_red_and_one_that_is_a_finding_does_not(full: Full, tmp_path: Path) -> None:
    summary, out = report(tmp_path, add_study, lambda results: add_modes(results, "torch", off="functional"))
    assert (summary.exit_code, summary.status) == (1, "different")
    assert summary.headline.startswith("Ways of writing the same model part: tiny/float32/torch/functional/")
    assert len(ElementTree.parse(out / "junit.xml").findall(".//testsuite[@name='modes']/testcase/failure")) == 2
    assert {mode["status"] for mode in full[0].document["modes"]} == {"agrees", "finding"}
    text = (full[1] / "report.html").read_text()
    section = text[text.index('id="modes"') : text.index('id="comparisons"')]
    assert section.count("badge held") == 6
    assert "0.120 · 0.310" in section
    assert "16.118 eagerly" in section


def test_experiments_show_what_changing_a_factor_does_and_whether_all_conclude_the_same(full: Full) -> None:
    text = (full[1] / "report.html").read_text()
    section = readable(text[text.index('id="experiments"') : text.index('id="limitations"')])
    assert "+0.4200 (+0.1300 to +0.7100), better" in section
    assert (section.count("all better"), section.count("they part")) == (1, 1)
    assert "97.13%, 97.02%" in section
    assert "did not finish" in section


def test_a_picture_is_in_the_page_once_and_compressed(full: Full) -> None:
    assert "data:image" not in (full[1] / "report.html").read_text()


def test_junit_counts_what_it_holds(full: Full, tmp_path: Path) -> None:
    for out in (full[1], report(tmp_path, add_study, *FAILING)[1]):
        for suite in ElementTree.parse(out / "junit.xml").findall("testsuite"):
            cases = suite.findall("testcase")
            assert int(suite.attrib["tests"]) == len(cases) == len({(c.get("classname"), c.get("name")) for c in cases})
            for counted, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                assert int(suite.attrib[counted]) == len(suite.findall(f"testcase/{tag}"))
