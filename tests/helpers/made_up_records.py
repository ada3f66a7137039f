"""Made-up records for the report's tests: all that a run leaves in a results folder."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_origin, get_type_hints

import numpy as np

from numpynet import Array
from parity.drift.packing import packed
from parity.results.planning import planned
from parity.results.records import KINDS, PLANNED, Json, Record
from parity.results.records.comparisons import ComparisonRecord, FaultPart, LayerPart, LossesPart, TensorPart
from parity.results.records.facts import (
    BaselinePart,
    DefaultRecord,
    DefectRecord,
    DifferenceRecord,
    MutantRecord,
    PromiseRecord,
    RefusalRecord,
    SpecialRecord,
    ThresholdRecord,
    TwinRecord,
)
from parity.results.records.fingerprints import ExampleTensorPart, SignatureRecord, TensorsRecord, TracePart
from parity.results.records.ladder import CheckRecord, CurveRecord, DerivativeRecord, ModeRecord, UsePart
from parity.results.records.soaks import CurveSoakRecord, MachineRecord, SoakRecord
from parity.results.records.trainings import Effect, ExperimentRecord, RunRecord, StudyRecord, TablePart
from parity.results.store import Results
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


def bare(kind: str, **known: Any) -> Json:
    """A record that has passed and says nothing else, but for what is `known`; `append` brings its key."""
    nothing = {str: "", int: 0, float: 0.0, list: [], dict: {}, Literal: "ok", Union: True, UnionType: True}
    hints = get_type_hints(KINDS[kind])
    asked = [each.name for each in fields(KINDS[kind]) if each.default is each.default_factory is MISSING]
    return {name: nothing[get_origin(hints[name]) or hints[name]] for name in asked if name != "key"} | known


def add(results: Results, record: Record) -> None:
    results.append(record.KIND, record.key, record)


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
            run = RunRecord(
                key=f"{name}/coupled/{implementation}/{number}",
                study=name,
                arm="coupled",
                implementation=implementation,
                seed=number,
                status="ok",
                accuracy=row.mean(),
                correct=base64.b64encode(np.packbits(row).tobytes()).decode(),
                initial_weights=f"{number:064x}",
                batch_order=f"{number:064x}",
                optimizer_steps=0,
            )
            if (implementation, number) in lost:
                accuracies[implementation][number] = np.nan
                run = replace(run, status="diverged", accuracy=None, correct=None, message="NaN in epoch 3")
            add(results, run)
    own, moved = accuracies["numpynet"], np.rint(rng.normal(0, 2, seeds)) / N_TEST
    controls = {
        "rerun": {"numpynet": own, "again": own},
        "one-ulp": {"numpynet": own, "one ulp off": own + moved},
        "defect: stale batch order": {"numpynet": own, "stale": own - 0.031 + moved},
    }
    verdict = decide(accuracies, n_test=N_TEST, margin=MARGIN)
    arms = {arm: asdict(decide(runs, n_test=N_TEST, margin=MARGIN)) for arm, runs in controls.items()}
    registered = {"task": f"{name}, 64-32-10, 20 epochs", "margin rule": "min(0.005, 0.5 σ_L)", "n": seeds}
    add(results, StudyRecord(key=name, preregistration=registered, verdict=asdict(verdict), arms=arms))
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
            uses = [
                UsePart(
                    implementation=name,
                    quantity=quantity,
                    used=0.0 if pair == "ReLU" else rng.beta(2, 4),
                    module=f"{pair}(3, 4)",
                )
                for name in names
                for quantity in ("output", "input gradient", "parameter gradient", "parameter")
            ]
            check = CheckRecord(
                key=f"{pair}/{dtype}",
                passed=True,
                pair=pair,
                dtype=dtype,
                frameworks=list(frameworks),
                examples=200,
                seconds=3.2,
                seconds_inside=1.9,
                uses=uses,
            )
            if failing == check.key:
                check = replace(
                    check,
                    passed=False,
                    uses=[*uses[:-1], replace(uses[-1], used=np.inf)],
                    failed_rung=2,
                    failed_after=7,
                    shrunk=f"{pair}(1, 1)",
                    failure=f"rung 2 (gradient): input gradient of {pair}(1, 1)\n</script><b>&\x00",
                )
            add(results, check)
        add(results, DerivativeRecord(key=pair, passed=True, pair=pair, examples=200, used=rng.beta(2, 6)))
    steps = np.arange(200)
    envelope = 1e-8 * np.exp(steps / 45)
    for curve, title in (("digits", "Digits, 64-32-10"), ("fashion-mnist", "Fashion-MNIST, 784-128-128-10")):
        loss = 2.3 * np.exp(-steps / 70) + 0.15 + 0.05 * rng.standard_normal(200).cumsum() / 14
        losses = {name: loss + (name != "numpynet") * envelope * rng.normal(0, 0.5, 200) for name in names}
        add(
            results,
            CurveRecord(
                key=f"{curve}/float32",
                passed=True,
                title=title,
                steps=200,
                compared=170,
                losses={name: values.tolist() for name, values in losses.items()},
                envelope=envelope.tolist(),
                used=dict.fromkeys(frameworks, 0.41),
                worst_step=dict.fromkeys(frameworks, 187),
            ),
        )


def add_facts(results: Results, escaped: str | None = None) -> None:
    for number, (title, (rung, by)) in enumerate(DEFECTS.items()):
        defect = DefectRecord(
            key=f"defect-{number}",
            passed=title != escaped,
            title=title,
            target="SoftMax",
            source="activations",
            rung=rung,
            quantity="input gradient",
            examples=number + 1,
            shrunk="SoftMax()",
            baseline=BaselinePart(caught=by is not None, by=by),
        )
        add(results, defect)
    add(results, TwinRecord(key="Graph", passed=True, baseline=BaselinePart(caught=True, by="parameters")))
    statuses = {"numpynet": "refuses", "torch": "refuses", "tensorflow": "accepts"}
    add(
        results,
        RefusalRecord(
            key="Linear/1-D input",
            passed=True,
            pair="Linear",
            wrong="1-D input",
            statuses=statuses,
            expected=statuses,
        ),
    )
    difference = DifferenceRecord(
        key="running-variance",
        passed=True,
        topic="normalization",
        title="running variance",
        does={"torch": "unbiased", "keras": "biased"},
        mapping="n/(n-1)",
        predicted=0.0173,
        naive=0.0173,
        mapped=1.1e-16,
        sources=["https://example.org/issue", "javascript:alert(1)"],
    )
    add(results, difference)
    add(
        results,
        SpecialRecord(
            key="MaxPool2d/NaN",
            passed=True,
            pair="MaxPool2d",
            value="NaN",
            policy="output: NaN in 1 element of its sample",
            compared=16,
            does={"tensorflow": "output: NaN to finite"},
            reasons=["TensorFlow returns the largest of the numbers"],
        ),
    )
    add(results, PromiseRecord(key="limits/Dropout.p", passed=True, topic="limits", said="0 <= p < 1", tried=11))
    add(results, DefaultRecord(key="LeakyReLU.slope", passed=True, ours="0.01", theirs={"keras": "0.3"}))
    add(
        results,
        MutantRecord(
            key="numpynet.linear/operator/0",
            passed=True,
            module="numpynet.linear",
            definition="Linear.forward",
            line=70,
            operator="operator",
            occurrence=0,
            diff=["-x @ w", "+x - w"],
            by="Linear/float32",
        ),
    )
    threshold = ThresholdRecord(
        key="Linear/float32/output",
        passed=True,
        target="Linear",
        dtype="float32",
        quantity="output",
        framework="torch",
        ulps=4.0,
        examples=50,
        seed=0,
        accused=["torch"],
    )
    add(results, threshold)
    tensors = TensorsRecord(
        key="Linear/float32",
        pair="Linear",
        dtype="float32",
        frameworks=["torch"],
        examples=1,
        seed=0,
        digest="0123456789abcdef",
        code="",
        tensors=[ExampleTensorPart(example=0, name="output, step 1", shape=[2], unit=2.0**-24)],
        found={"torch": TracePart(bits=packed([np.array([0.5, 0.75], np.float32)]), used=[0.25], errors=[0.5])},
    )
    add(results, tensors)
    name = "torch.nn.Linear"
    signature = SignatureRecord(
        key=f"torch/{name}", framework="torch", name=name, there=True, parameters={"in_features": "", "bias": "True"}
    )
    add(results, signature)
    for name in ("numpynet", *FRAMEWORKS):
        blobs = ExperimentRecord(
            key=f"blobs/{name}",
            passed=True,
            experiment="blobs",
            title="Blobs, one layer",
            implementation=name,
            requirement="loss 0.1 or lower",
            figures={"final loss": 0.041},
            pictures={"boundary": PIXEL},
            curves={"loss": np.exp(-np.arange(30) / 8).tolist()},
        )
        add(results, blobs)
        add_factors(results, name)
    for framework in FRAMEWORKS:
        add_modes(results, framework)
    add(results, compared(passed=True))


def add_factors(results: Results, implementation: str) -> None:
    """An experiment of several seeds, with what changing a factor does."""
    better = Effect(
        factor="15 epochs",
        estimate=0.0042,
        interval=(0.0013, 0.0071),
        level=0.9,
        differences=[0.004, 0.0044],
        conclusion="better",
    )
    conclusion = "worse" if implementation == "torch" else "undecided"
    sigmoid = replace(
        better, factor="sigmoid inside", estimate=-0.0021, interval=(-0.0063, 0.0021), conclusion=conclusion
    )
    factors = ExperimentRecord(
        key=f"factors/{implementation}",
        passed=True,
        experiment="factors",
        title="Factors on MNIST",
        implementation=implementation,
        summary="2 factors",
        requirement="the same conclusions",
        effects=[better, sigmoid],
        accuracies={"baseline": [0.9713, 0.9702], "15 epochs": [0.9753, None]},
        tables={"per digit": TablePart(columns=["digit", "right"], rows=[["0", 0.9934], ["1", 0.9871]])},
    )
    add(results, factors)


def add_modes(results: Results, framework: str, off: str | None = None) -> None:
    """A model written in two ways and run in two; the one called `off` parts from the others."""
    for mode in ("sequential", "functional"):
        for execution in ("eager", "graph"):
            record = ModeRecord(
                key=f"tiny/float32/{framework}/{mode}/{execution}",
                passed=off != mode,
                model="tiny",
                dtype="float32",
                framework=framework,
                mode=mode,
                execution=execution,
                used={"output": 0.31, "gradient": 0.22},
                apart={"output": 0.12},
                status="agrees",
            )
            if (mode, execution) == ("functional", "graph"):
                note = "probabilities-in-graphs: 50 in a graph, 16.118 eagerly"
                record = replace(record, status="finding", note=note)
            if off == mode:
                record = replace(record, used={"output": np.inf}, status="off", note="parts from the other modes")
            add(results, record)


def compared(passed: bool) -> ComparisonRecord:
    """A comparison of two models of two layers, trained; the second layer is at fault unless it has `passed`."""
    outside: Json = {} if passed else {"share": None, "digits": 0.5, "passed": False}

    inherited: Json = {} if passed else {"share": 2.5, "passed": False}

    def tensor(mode: str, rung: int, layer: str, quantity: str, name: str = "", **changed: Any) -> TensorPart:
        known: Json = {"mode": mode, "rung": rung, "layer": layer, "quantity": quantity, "tensor": name}
        of = f" of {layer}" + f".{name}" * bool(name) if layer else ""
        return TensorPart(**known | {"name": quantity + of, "share": 0.25, "digits": 6.5, "passed": True} | changed)

    tensors = [
        each
        for mode in ("evaluation", "training")
        for each in (
            tensor(mode, 1, "0", "output"),
            tensor(mode, 1, "2", "output", **outside),
            tensor(mode, 1, "1", "state", "running variance", known="batchnorm-running-variance"),
            tensor(mode, 2, "0", "output gradient", **inherited),
            tensor(mode, 2, "1", "parameter gradient", "weight"),
            tensor(mode, 2, "", "input gradient"),
        )
    ]
    layer = {"called": "0", "site": "0", "title": "Linear", "there": "dense", "title_there": "Dense", "layer": "0"}
    norm = layer | {"called": "1 and 2", "site": "2", "title": "BatchNorm1d and ReLU", "there": "norm", "layer": "1"}
    headline = f"keras {'computes' if passed else 'does not compute'} what torch computes"
    fault = FaultPart(layer="norm", title="Dense", beside="1 and 2", share=12.5, proven=False, told="eps", mend="eps=1")
    return ComparisonRecord(
        key="port.py",
        passed=passed,
        first="torch",
        second="keras",
        reference="torch",
        headline=headline,
        told=[headline, "input 1 lies otherwise in the second model"],
        itself=0.2,
        tensors=tensors,
        layers=[
            LayerPart(**layer, error="" if passed else "inherited"),
            LayerPart(**norm, error="" if passed else "own"),
        ],
        faults=[] if passed else [fault],
        weights={"0.weight": "dense/kernel"},
        aligned=2,
        calls=3,
        losses=LossesPart(passed=True, reference=[1.0, 0.5], other=[1.0, 0.5], shares=[0.0, 0.5], parted=None),
    )


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
    strayed: Json = {"dtype": "float32", "passed": not alarms, "alarms": alarms, "largest": 0.61}
    soaked = SoakRecord(
        key="ELU/float32/torch/output",
        pair="ELU",
        implementation="torch",
        quantity="output",
        examples=9000,
        seeds=[7],
        quantiles={"0.99": 0.41, "0.999": 0.52},
        tail=3.2e-7,
        tail_interval=(1.1e-8, 2.3e-6),
        **strayed,
    )
    add(results, soaked)
    add(results, CurveSoakRecord(key="digits/float32", network="digits", curves=2000, **strayed))
    machine = MachineRecord(
        key="amd/check",
        passed=True,
        machine="amd",
        describes="an EPYC of the year 2021",
        asked={"ATEN_CPU_CAPABILITY": "avx2"},
        job="check",
        status="green",
        counts={"checks": [88, 0, 0]},
        seconds=61.0,
    )
    add(results, machine)
