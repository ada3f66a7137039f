"""The report says what the records say, no more and no less, in four formats that their readers can open."""

import base64
import html
import json
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from xml.etree import ElementTree

import numpy as np
import pytest

from parity.report import SCHEMA_FILE, page, write_report
from parity.results import Results, ResultsError
from parity.statistics import decide

N_TEST, SEEDS, MARGIN = 1000, 30, 0.005
FRAMEWORKS = ("torch", "tensorflow")
STACK = "numpy2.4.6-torch2.13.0-tf2.21.0"
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
)
DEFECTS = {
    "batch normalisation without eps": (1, "output"),
    "softmax backward without its cross term": (2, None),
    "gradient overwritten instead of accumulated": (2, "gradient"),
    "momentum with the wrong sign": (3, "parameters"),
    "stale batch order": (5, None),
}


def trained(implementations, seeds, shift, swaps, rng):
    """Per-example correctness (seeds, N_TEST): about `swaps` examples won and lost, and `shift` won by the last one."""
    first = rng.random((seeds, N_TEST)) < rng.normal(0.915, 0.008, seeds)[:, None]
    found = {implementations[0]: first}
    for name in implementations[1:]:
        found[name] = first.copy()
        for row in found[name]:
            won = shift if name == implementations[-1] else 0
            row[rng.choice(np.flatnonzero(row), rng.poisson(swaps), replace=False)] = False
            row[rng.choice(np.flatnonzero(~row), won + rng.poisson(swaps), replace=False)] = True
    return found


def add_study(results, name="digits", frameworks=FRAMEWORKS, seeds=SEEDS, shift=0, swaps=2, seed=0, lost=()):
    """Coupled runs and their verdict; runs in `lost`, (implementation, seed), diverged."""
    rng = np.random.default_rng(seed)
    right = trained(["numpynet", *frameworks], seeds, shift, swaps, rng)
    accuracies = {implementation: rows.mean(axis=1) for implementation, rows in right.items()}
    for implementation, rows in right.items():
        for number, row in enumerate(rows):
            run = {"study": name, "arm": "coupled", "implementation": implementation, "seed": number, "status": "ok"}
            run |= {"accuracy": row.mean(), "correct": base64.b64encode(np.packbits(row).tobytes()).decode()}
            run |= {"initial_weights": f"{number:064x}", "batch_order": f"{number:064x}", "optimizer_steps": 0}
            if (implementation, number) in lost:
                accuracies[implementation][number] = np.nan
                run |= {"status": "diverged", "accuracy": None, "correct": None, "message": "NaN in epoch 3"}
            results.append("runs", f"{name}/coupled/{implementation}/{number}", run)
    own, moved = accuracies["numpynet"], np.rint(rng.normal(0, 2, seeds)) / N_TEST
    controls = {
        "rerun": {"numpynet": own, "again": own},
        "one-ulp": {"numpynet": own, "one ulp off": own + moved},
        "defect: stale batch order": {"numpynet": own, "stale": own - 0.031 + moved},
    }
    verdict = decide(accuracies, n_test=N_TEST, margin=MARGIN)
    arms = {arm: asdict(decide(runs, n_test=N_TEST, margin=MARGIN)) for arm, runs in controls.items()}
    registered = {"task": f"{name}, 64-32-10, 20 epochs", "margin rule": "min(0.005, 0.5 σ_L)", "n": seeds}
    results.append("studies", name, {"preregistration": registered, "verdict": asdict(verdict), "arms": arms})
    return verdict


def add_ladder(results, frameworks=FRAMEWORKS, failing=None):
    rng, names = np.random.default_rng(5), ["numpynet", *frameworks]
    for pair in (
        "Linear",
        "ReLU",
        "ELU",
        "SoftMax",
        "LogSoftMax",
        "BatchNormalization",
        "Dropout",
        "SGD",
        "Sequential",
    ):
        for dtype in ("float32", "float64"):
            check = {"pair": pair, "dtype": dtype, "frameworks": frameworks, "examples": 200, "seconds": 3.2}
            check |= {"seconds_inside": 1.9, "uses": []}
            for name in names:
                for quantity in ("output", "input gradient", "parameter gradient", "parameter"):
                    used = 0.0 if pair == "ReLU" else rng.beta(2, 4)
                    use = {"implementation": name, "quantity": quantity, "used": used, "module": f"{pair}(3, 4)"}
                    check["uses"].append(use)
            if failing == f"{pair}/{dtype}":
                check["uses"][-1]["used"] = np.inf
                check |= {"failed_rung": 2, "failed_after": 7, "shrunk": f"{pair}(1, 1)"}
                check["failure"] = f"rung 2 (gradient): input gradient of {pair}(1, 1)\n</script><b>&\x00"
            results.append("checks", f"{pair}/{dtype}", check)
        results.append("derivatives", pair, {"pair": pair, "examples": 200, "used": rng.beta(2, 6), "holds": True})
    steps = np.arange(200)
    envelope = 1e-8 * np.exp(steps / 45)
    for curve, title in (("digits", "Digits, 64-32-10"), ("fashion-mnist", "Fashion-MNIST, 784-128-128-10")):
        loss = 2.3 * np.exp(-steps / 70) + 0.15 + 0.05 * rng.standard_normal(200).cumsum() / 14
        losses = {name: loss + (name != "numpynet") * envelope * rng.normal(0, 0.5, 200) for name in names}
        record = {"title": title, "steps": 200, "compared": 170, "losses": losses, "envelope": envelope, "passed": True}
        record |= {"used": dict.fromkeys(frameworks, 0.41), "worst_step": dict.fromkeys(frameworks, 187)}
        results.append("curves", f"{curve}/float32", record)


def add_facts(results, escaped=None):
    for number, (title, (rung, by)) in enumerate(DEFECTS.items()):
        defect = {"title": title, "target": "SoftMax", "source": "activations", "caught": title != escaped}
        defect |= {"rung": rung, "quantity": "input gradient", "examples": number + 1, "shrunk": "SoftMax()"}
        results.append("defects", f"defect-{number}", defect | {"usual": {"caught": by is not None, "by": by}})
    statuses = {"numpynet": "refuses", "torch": "refuses", "tensorflow": "accepts"}
    refusal = {"pair": "Linear", "wrong": "1-D input", "statuses": statuses, "expected": statuses, "holds": True}
    results.append("refusals", "Linear/1-D input", refusal)
    difference = {"topic": "normalisation", "title": "running variance", "torch": "unbiased", "keras": "biased"}
    difference |= {"mapping": "n/(n-1)", "predicted": 0.0173, "naive": 0.0173, "mapped": 1.1e-16, "holds": True}
    sources = ["https://example.org/issue", "javascript:alert(1)"]
    results.append("differences", "running-variance", difference | {"sources": sources})
    for name in ("numpynet", *FRAMEWORKS):
        record = {
            "title": "Blobs, one layer",
            "implementation": name,
            "passed": True,
            "requirement": "loss 0.1 or lower",
        }
        record |= {"figures": {"final loss": 0.041, "boundary": PIXEL}, "curves": {"loss": np.exp(-np.arange(30) / 8)}}
        results.append("experiments", f"blobs/{name}", record)


def filled(folder, stack=STACK, **study):
    results = Results(folder)
    packages = {"numpy": "2.4.6", "torch": "2.13.0", "tensorflow": "2.21.0"}
    results.write_environment(
        {"stack": stack, "python": "3.11.9", "packages": packages, "platform": "Linux", "cores": 2}
    )
    add_ladder(results)
    add_facts(results)
    add_study(results, **study)
    return results


def report(tmp_path, *fill):
    """The summary and the folder of a report on results that each of `fill` appends to."""
    results = Results(tmp_path / "stack")
    results.folder.mkdir()
    for append in fill:
        append(results)
    return write_report([results.folder], tmp_path / "out"), tmp_path / "out"


@pytest.fixture(scope="module", autouse=True)
def without_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    filled(folder / "results")
    return write_report([folder / "results"], folder / "out"), folder / "out"


def schema():
    return pytest.importorskip("jsonschema").Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))


ONE_FRAMEWORK = (
    lambda results: add_ladder(results, ["torch"]),
    lambda results: add_study(results, frameworks=["torch"]),
)
FAILING = (lambda results: add_ladder(results, failing="SoftMax/float32"),)
CASES = {
    "nothing": (),
    "ladder only": (add_ladder,),
    "facts only": (add_facts,),
    "study only": (add_study,),
    "one framework": ONE_FRAMEWORK,
    "a failure": FAILING,
    "bare records": (lambda results: [results.append(k, "a/b", {}) for k in ("checks", "curves", "defects", "runs")],),
    "diverged": (lambda results: add_study(results, lost=[("torch", 3)]),),
}


@pytest.mark.parametrize("fill", CASES.values(), ids=CASES)
def test_whatever_is_missing_all_four_files_are_written_and_the_json_follows_its_schema(tmp_path, fill):
    summary, out = report(tmp_path, *fill)
    document = json.loads((out / "report.json").read_text())
    schema().validate(document)
    assert document == summary.document
    assert f"<h1>{html.escape(summary.headline)}</h1>" in (out / "report.html").read_text()
    assert summary.headline in (out / "report.md").read_text().splitlines()[0]
    ElementTree.parse(out / "junit.xml")


def test_a_full_report_follows_the_schema_and_shows_every_section_in_order(full):
    summary, out = full
    schema().validate(summary.document)
    assert (summary.status, summary.exit_code, summary.not_compared) == ("held", 0, ())
    assert summary.headline == "Equivalent within ±0.5 points"
    text = (out / "report.html").read_text()
    sections = re.findall(r'<h2 id="([\w-]+)"', text)
    order = (
        "compared controls primary differences-per-seed curves agreement power calibration allowances defects refusals"
    )
    assert sections == [*order.split(), "known", "experiments", "derivatives", "limitations", "raw"]
    assert text.index("<h1>") < text.index("<h2")


def test_the_schema_refuses_what_is_not_a_report(full):
    for broken in ({"schema": 2}, {"verdict": {}}, {"unknown": 1}, {"studies": [{"name": "digits"}]}):
        assert not schema().is_valid(full[0].document | broken)


def test_numbers_in_the_text_are_those_of_the_json(full):
    document = json.loads(json.dumps(full[0].document))
    document["studies"][0]["pairs"][0]["test"]["difference"] = 0.0123456
    document["allowances"][0]["used"]["torch"]["share"] = 0.98765
    document["differences"][0]["naive"] = 4321.5
    text, summary = page.html(document), page.markdown(document)
    assert all(shown in text for shown in ("+1.235<", "0.988<", "4.32e+03<"))
    assert all(shown in summary for shown in ("+1.235 |", "4.32e+03 |"))


def test_an_inconclusive_study_is_not_green_and_says_how_many_seeds_would_decide(tmp_path):
    summary, out = report(tmp_path, lambda results: add_study(results, seeds=8, swaps=20))
    needed = max(pair["seeds_to_decide"] or 0 for pair in summary.document["studies"][0]["pairs"])
    assert (summary.status, summary.exit_code) == ("inconclusive", 2)
    assert f"about {needed} seeds would decide" in summary.headline
    assert ElementTree.parse(out / "junit.xml").find(".//testsuite[@name='studies']").get("failures") == "1"


def test_equivalence_is_claimed_only_where_it_was_shown(tmp_path):
    summary, out = report(tmp_path, lambda results: add_study(results, shift=9))
    assert (summary.status, summary.exit_code, summary.headline) == ("different", 1, "Final accuracies differ")
    for name in ("report.html", "report.md"):
        assert "no significant difference" not in (out / name).read_text().lower()


def test_a_failure_is_told_in_every_format_and_cannot_break_out_of_the_page(tmp_path):
    summary, out = report(tmp_path, *FAILING)
    assert (summary.exit_code, summary.headline) == (1, "Implementations part on rung 2 (gradient)")
    assert "</script><b>" not in (out / "report.html").read_text()
    assert "&lt;/script&gt;&lt;b&gt;&amp;" in (out / "report.html").read_text()
    case = ElementTree.parse(out / "junit.xml").find(".//testcase[@name='SoftMax/float32']")
    assert case.find("failure").get("message") == "rung 2 (gradient): input gradient of SoftMax(1, 1)"
    worst = {top["implementation"]: top["share"] for top in summary.document["largest_used"]}
    assert worst["tensorflow"] is None
    assert 0 < worst["torch"] < 1


def test_a_defect_that_escapes_makes_everything_invalid(tmp_path):
    escaped = next(iter(DEFECTS))
    summary, out = report(tmp_path, add_ladder, add_study, lambda results: add_facts(results, escaped))
    assert (summary.status, summary.exit_code) == ("invalid", 3)
    assert "not all planted defects caught" in summary.headline
    assert len(ElementTree.parse(out / "junit.xml").findall(".//testsuite[@name='defects']/testcase/failure")) == 1


def test_with_one_framework_the_report_says_what_was_not_compared(tmp_path):
    summary, out = report(tmp_path, *ONE_FRAMEWORK)
    assert "stack: nothing was compared with tensorflow, of which there are no results" in summary.not_compared
    assert [pair["second"] for pair in summary.document["studies"][0]["pairs"]] == ["torch"]
    assert "nothing was compared with tensorflow" in (out / "report.md").read_text()


def test_a_run_that_diverged_is_reported_and_stays_in_the_denominator(tmp_path):
    summary, out = report(tmp_path, lambda results: add_study(results, lost=[("torch", 3)]))
    study = summary.document["studies"][0]
    assert (summary.exit_code, study["outcome"]) == (3, "invalid")
    assert (study["accuracies"]["torch"]["runs"], study["accuracies"]["torch"]["finished"]) == (SEEDS, SEEDS - 1)
    assert "NaN in epoch 3" in (out / "report.html").read_text()
    assert ElementTree.parse(out / "junit.xml").find(".//testsuite[@name='studies']").get("errors") == "1"


def test_runs_without_a_verdict_are_said_to_be_undecided(tmp_path):
    def stopped(results):
        add_study(results)
        (results.folder / "studies.jsonl").unlink()

    summary, _ = report(tmp_path, stopped)
    assert summary.status == "partial"
    assert "stack: study digits has no verdict: it was stopped before its end" in summary.not_compared


def test_agreement_is_counted_per_seed_from_the_packed_bits(full):
    for pair in full[0].document["studies"][0]["pairs"]:
        assert len(pair["per_seed"]) == pair["agreement"]["seeds"] == SEEDS
        for seed in pair["per_seed"]:
            table = seed["agreement"]
            both, won, lost, neither = (table[name] for name in ("both", "only_first", "only_second", "neither"))
            assert both + won + lost + neither == N_TEST
            assert won - lost == round(N_TEST * seed["difference"])
            assert table["churn"] == (won + lost) / N_TEST
            assert table["tango_95"][0] < (won - lost) / N_TEST < table["tango_95"][1]


def test_stacks_merge_into_a_matrix_and_jobs_of_one_stack_into_one(tmp_path):
    filled(tmp_path / "a")
    filled(tmp_path / "b", stack="numpy1.26.4-torch2.2.2-tf2.16.2", shift=9)
    filled(tmp_path / "c")
    summary = write_report([tmp_path / name for name in "abc"], tmp_path / "out")
    assert [stack["name"] for stack in summary.document["stacks"]] == [STACK, "numpy1.26.4-torch2.2.2-tf2.16.2"]
    assert [study["outcome"] for study in summary.document["studies"]] == ["equivalent", "different (material)"]
    assert summary.exit_code == 1
    text = (tmp_path / "out" / "report.html").read_text()
    matrix = text[text.index("Stacks side by side") : text.index('aria-label="Primary results"')]
    assert matrix.count('class="badge') == 6
    assert all(
        f"{100 * a['mean']:.2f}%" in matrix for s in summary.document["studies"] for a in s["accuracies"].values()
    )


def test_torn_lines_are_mentioned_and_a_folder_that_is_none_is_refused(tmp_path):
    summary, _ = report(tmp_path, add_ladder, lambda results: (results.folder / "runs.jsonl").write_text('{"schema'))
    assert any("torn" in note for note in summary.document["notes"])
    with pytest.raises(ResultsError, match="is no folder"):
        write_report([tmp_path / "nowhere"], tmp_path / "out")


def test_neither_framework_is_imported(tmp_path):
    filled(tmp_path / "results")
    code = "import sys; from parity.report import write_report; write_report(sys.argv[1:2], sys.argv[2])"
    code += "; print(sorted({'torch', 'tensorflow', 'keras'} & set(sys.modules)))"
    command = [sys.executable, "-c", code, str(tmp_path / "results"), str(tmp_path / "out")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_page_loads_nothing_and_links_only_to_pages(full):
    text = (full[1] / "report.html").read_text()
    assert "default-src 'none'" in text
    own = text[: text.index('<script type="application/json" id="figures">')]
    assert not re.search(r'(src|href)="(?!#|data:image/png|https?://)', own)
    assert not re.search(r'src="http|<link|@import|url\(', own)
    assert 'href="https://example.org/issue"' in own


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
FLAGS += "--disable-component-update --disable-sync --enable-logging=stderr --virtual-time-budget=20000 --dump-dom"
# Runs in the page, and tells the page around it what a reader would meet.
PROBE = """
const rgba = (text) => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
const over = ([r, g, b, a = 1], below) => [r, g, b].map((c, i) => a * c + (1 - a) * below[i]);
const luminance = (colour) => colour.map((c) => c / 255)
  .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
function background(element) {
  const below = element.parentElement ? background(element.parentElement) : [255, 255, 255];
  return over(rgba(getComputedStyle(element).backgroundColor), below);
}
function contrast(element) {
  const below = background(element), light = luminance(below);
  const text = luminance(over(rgba(getComputedStyle(element).color), below));
  return (Math.max(light, text) + 0.05) / (Math.min(light, text) + 0.05);
}
addEventListener("load", () => setTimeout(() => {
  const all = (selector) => [...document.querySelectorAll(selector)], shown = (element) => element.offsetParent;
  const written = all("body *").filter((element) => shown(element) && !element.closest("svg, script") &&
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  const table = document.querySelector('[aria-label="Share of the allowance used"]');
  const button = [...table.querySelectorAll("th button")].at(-1), header = button.closest("th");
  const sorted = () => {
    button.click();
    return [header.ariaSort, ...[...table.querySelectorAll("tbody td:last-child")].map((cell) => +cell.dataset.value)];
  };
  parent.postMessage({
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    charts: all(".chart").filter(shown).length,
    undrawn: all(".chart").filter((chart) => shown(chart) && !chart.querySelector(".trace")).map((chart) => chart.id),
    unresolved: all(".chart").filter((chart) => chart.innerHTML.includes("var(--")).length,
    ascending: sorted(),
    descending: sorted(),
    unreachable: all("a[href], button, summary, .table").filter((element) => element.tabIndex < 0).length,
    faint: written.filter((element) => contrast(element) < 4.5).map((element) => element.outerHTML.slice(0, 80)),
    overflow: document.documentElement.scrollWidth - innerWidth,
    requests: performance.getEntriesByType("resource").map((entry) => entry.name),
  }, "*");
}, 1000));
"""


@pytest.mark.skipif(BROWSER is None, reason="chromium is not installed: the page was not opened")
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_in_a_browser_charts_are_drawn_tables_sort_all_is_legible_and_nothing_requested(full, tmp_path, theme, width):
    (tmp_path / "page.html").write_text((full[1] / "report.html").read_text() + f"<script>{PROBE}</script>")
    around = f'<meta charset="utf-8"><meta name="color-scheme" content="{theme}"><script>addEventListener("message", '
    around += '(event) => (document.body.textContent = "found " + JSON.stringify(event.data) + " end"))</script>'
    around += f'<body><iframe src="page.html" width="{width}" height="900"></iframe>'
    (tmp_path / "around.html").write_text(around)
    command = [BROWSER, *FLAGS.split(), f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "around.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    told = re.search("<body>found (.*) end", html.unescape(done.stdout))
    assert told, done.stderr
    found = json.loads(told[1])
    assert "CONSOLE" not in done.stderr
    assert found["dark"] == (theme == "dark")
    assert found["charts"] >= 7
    assert (found["undrawn"], found["unresolved"], found["requests"], found["faint"]) == ([], 0, [], [])
    assert (found["unreachable"], found["overflow"] <= 0) == (0, True)
    for order in ("ascending", "descending"):
        said, *values = found[order]
        assert said == order
        assert values == sorted(values, reverse=order == "descending")
