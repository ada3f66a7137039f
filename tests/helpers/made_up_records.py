"""Made-up records for the report's tests: all that a run leaves in a results folder."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from numpynet import Array
from parity.report.records import PLANNED
from parity.results.planning import planned
from parity.results.store import Record, Results
from parity.statistics import Verdict, decide

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


def trained(
    implementations: Sequence[str], seeds: int, shift: int, swaps: int, rng: np.random.Generator
) -> dict[str, Array]:
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


def add_study(
    results: Results,
    name: str = "digits",
    frameworks: Sequence[str] = FRAMEWORKS,
    seeds: int = SEEDS,
    shift: int = 0,
    swaps: int = 2,
    seed: int = 0,
    lost: Sequence[tuple[str, int]] = (),
) -> Verdict:
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


def add_ladder(results: Results, frameworks: Sequence[str] = FRAMEWORKS, failing: str | None = None) -> None:
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
            check: Record = {"pair": pair, "dtype": dtype, "frameworks": frameworks, "examples": 200, "seconds": 3.2}
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


def add_facts(results: Results, escaped: str | None = None) -> None:
    for number, (title, (rung, by)) in enumerate(DEFECTS.items()):
        defect = {"title": title, "target": "SoftMax", "source": "activations", "caught": title != escaped}
        defect |= {"rung": rung, "quantity": "input gradient", "examples": number + 1, "shrunk": "SoftMax()"}
        results.append("defects", f"defect-{number}", defect | {"usual": {"caught": by is not None, "by": by}})
    alarm = {"caught": True, "by": "parameters"}
    results.append("twins", "Graph", {"passed": True, "message": "", "usual": alarm})
    statuses = {"numpynet": "refuses", "torch": "refuses", "tensorflow": "accepts"}
    refusal = {"pair": "Linear", "wrong": "1-D input", "statuses": statuses, "expected": statuses, "holds": True}
    results.append("refusals", "Linear/1-D input", refusal)
    does = {"torch": "unbiased", "keras": "biased"}
    difference: Record = {"topic": "normalization", "title": "running variance", "does": does}
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
        record |= {"figures": {"final loss": 0.041}, "pictures": {"boundary": PIXEL}}
        results.append("experiments", f"blobs/{name}", record | {"curves": {"loss": np.exp(-np.arange(30) / 8)}})
        add_factors(results, name)
    for framework in FRAMEWORKS:
        add_modes(results, framework)


def add_factors(results: Results, implementation: str) -> None:
    """An experiment of several seeds, with what changing a factor does."""
    better = {"factor": "15 epochs", "estimate": 0.0042, "interval": [0.0013, 0.0071], "level": 0.9}
    better |= {"differences": [0.004, 0.0044], "conclusion": "better"}
    sigmoid = better | {"factor": "sigmoid inside", "estimate": -0.0021, "interval": [-0.0063, 0.0021]}
    sigmoid["conclusion"] = "worse" if implementation == "torch" else "undecided"
    record = {"title": "Factors on MNIST", "implementation": implementation, "passed": True, "summary": "2 factors"}
    record |= {"requirement": "the same conclusions", "effects": [better, sigmoid]}
    record |= {"accuracies": {"baseline": [0.9713, 0.9702], "15 epochs": [0.9753, None]}}
    record["tables"] = {"per digit": {"columns": ["digit", "right"], "rows": [["0", 0.9934], ["1", 0.9871]]}}
    results.append("experiments", f"factors/{implementation}", record)


def add_modes(results: Results, framework: str, off: str | None = None) -> None:
    """A model written in two ways and run in two; the one called `off` parts from the others."""
    for mode in ("sequential", "functional"):
        for execution in ("eager", "graph"):
            record: Record = {"model": "tiny", "dtype": "float32", "framework": framework}
            record |= {"mode": mode, "execution": execution}
            record |= {"used": {"output": 0.31, "gradient": 0.22}, "apart": {"output": 0.12}, "status": "agrees"}
            if (mode, execution) == ("functional", "graph"):
                record |= {"status": "finding", "note": "probabilities-in-graphs: 50 in a graph, 16.118 eagerly"}
            if off == mode:
                record |= {"used": {"output": np.inf}, "status": "off", "note": "parts from the other modes"}
            results.append("modes", f"tiny/float32/{framework}/{mode}/{execution}", record)


def filled(folder: Path, stack: str = STACK, **study: Any) -> Results:
    results = Results(folder)
    packages = {"numpy": "2.4.6", "torch": "2.13.0", "tensorflow": "2.21.0"}
    results.write_environment(
        {"stack": stack, "python": "3.11.9", "packages": packages, "platform": "Linux", "cores": 2}
    )
    with planned(results, "everything", {kind: ["*"] for kind in PLANNED if kind != "calibration"}):
        add_ladder(results)
        add_facts(results)
        add_study(results, **study)
    add_soak(results)
    return results


def add_soak(results: Results, alarms: int = 0) -> None:
    """What a soak and runs on emulated machines leave."""
    share = {"dtype": "float32", "implementation": "torch", "quantity": "output", "alarms": alarms, "largest": 0.61}
    share |= {"quantiles": {"0.99": 0.41, "0.999": 0.52}, "tail": 3.2e-7, "tail_interval": [1.1e-8, 2.3e-6]}
    results.append("soak", "ELU/float32/torch/output", share | {"pair": "ELU", "examples": 9000, "seeds": [7]})
    results.append("soak-curves", "digits/float32/torch/training", share | {"network": "digits", "curves": 2000})
    machine: Record = {"machine": "amd", "describes": "an EPYC of the year 2021"}
    machine |= {"asked": {"ATEN_CPU_CAPABILITY": "avx2"}}
    machine |= {"job": "check", "status": "held", "counts": {"checks": 88}, "seconds": 61.0}
    results.append("machines", "amd/check", machine)
