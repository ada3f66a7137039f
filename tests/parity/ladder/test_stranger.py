"""A user's own layer: the documented page works as printed, and a broken layer is explained."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

import parity
from numpynet import Array, BatchNormalization, Dropout, Module, Scaling, Sequential
from numpynet.datasets import digits
from parity.case import Case, Step
from parity.frameworks import available
from parity.frameworks.counterpart import Counterpart
from parity.frameworks.lazy import keras, torch, torch_layers
from parity.ladder.failure import reproduction
from parity.ladder.proving import prove, targets
from parity.mapping.normalization import FeaturePair
from parity.mapping.pair import Pair

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "swish.py"
PROVEN = [file for file in sorted((ROOT / "examples").glob("*.py")) if "@parity.pair" in file.read_text()]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
(MESSAGE,) = re.findall(r"```\n(rung .*?)```", README, re.DOTALL)
both = pytest.mark.skipif(len(available()) < 2, reason="the example is written for both frameworks")


def without_numbers(text: str) -> str:
    """The text without the numbers that depend on the machine's kernels."""
    return re.sub(r"-?\d+\.?\d*(e[+-]\d+)?", "#", text)


def test_readme_prints_the_example_that_is_tested() -> None:
    example = EXAMPLE.read_text().split('"""', 2)[2].strip()
    assert any(example in block for block in BLOCKS), "README's layer and examples/swish.py have drifted apart"


@both
def test_readmes_network_is_trained_and_had_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = (block for block in BLOCKS if "fit(" in block)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(block, names)
    test = digits().test
    assert np.mean(names["net"].evaluate()(test.inputs).argmax(axis=1) == test.targets) > 0.9
    assert (tmp_path / "net.pt").exists()


class Outcomes(dict[str, str]):
    """A plugin of pytest: what came of each test that was called."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self[report.nodeid.rpartition("::")[2]] = report.outcome


@both
def test_own_layer_is_proven_by_one_pytest_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLE.parent)  # as pytest does, which would leave it there
    monkeypatch.delitem(sys.modules, EXAMPLE.stem, raising=False)
    outcomes = Outcomes()
    # In this process, which has imported both frameworks; the command line, below, is in one of its own.
    without = ("no:cacheprovider", "no:unraisableexception", "no:faulthandler")  # this run has them already
    code = pytest.main(["-q", *(part for plugin in without for part in ("-p", plugin)), str(EXAMPLE)], [outcomes])
    del sys.modules[EXAMPLE.stem]
    assert code == 0
    assert outcomes == {"test_swish": "passed"}


@both
def test_own_layer_is_proven_by_the_command_line_and_a_broken_one_explained_and_reproduced_by_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(EXAMPLE.read_text().replace(" * (1 + x * (1 - gate))", ""))
    files = (str(EXAMPLE), str(broken))
    command = [
        sys.executable,
        "-m",
        "parity",
        "check",
        *files,
        "--examples",
        "20",
        "--dtype",
        "float32",
        "--workers",
        "1",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    right, wrong = (line for line in done.stdout.splitlines() if line.startswith("│ Swish"))
    assert "within" in right
    assert "failed" in wrong
    for said in (
        "rung 2 (gradient)",
        "odd one out: numpynet",
        "worst element",
        "ulp",
        "last tensor that agreed: output",
    ):
        assert said in done.stdout, f"{said!r} is missing in:\n{done.stdout}"
    assert without_numbers(MESSAGE) in without_numbers(done.stdout), "README's message and this one have drifted apart"
    script = re.search(r"Reproduce:\n\n(.*)", done.stdout, re.DOTALL)
    assert script is not None
    monkeypatch.syspath_prepend(tmp_path)  # as where the script is run, beside the layer's file
    exec(re.sub("^    ", "", script[1].split("\n\n\n")[0], flags=re.MULTILINE), {"__name__": "__main__"})
    assert "rung 2 (gradient)" in capsys.readouterr().out


class AffineBatchNormalization(Sequential):
    """BatchNormalization and Scaling, which together are every framework's batch normalisation."""

    def __init__(self, num_features: int, eps: float = 2.0**-10) -> None:
        super().__init__(BatchNormalization(num_features, 0.875, eps), Scaling(num_features))
        self.num_features, self.eps = num_features, eps

    def arguments(self) -> dict[str, Any]:
        return {"num_features": self.num_features, "eps": self.eps}

    __repr__ = Module.__repr__


@parity.pair(AffineBatchNormalization)
class AffineBatchNormalizationPair(FeaturePair):
    modules = st.builds(AffineBatchNormalization, st.integers(1, 4))

    def torch(self, module: AffineBatchNormalization) -> Counterpart:
        layer = torch_layers.BatchNormBiased(module.num_features, eps=module.eps, momentum=0.125)
        return _batch_norm(layer, layer.running_mean, layer.running_var, layer.weight, layer.bias)

    def tensorflow(self, module: AffineBatchNormalization) -> Counterpart:
        layer = keras.layers.BatchNormalization(axis=1, momentum=0.875, epsilon=module.eps)
        layer.build((None, module.num_features))
        return _batch_norm(layer, layer.moving_mean, layer.moving_variance, layer.gamma, layer.beta)

    def shapes(self, module: AffineBatchNormalization) -> st.SearchStrategy[tuple[int, ...]]:
        return st.tuples(st.integers(2, 8), st.just(module.num_features))


def _batch_norm(layer: Any, mean: Any, variance: Any, gamma: Any, beta: Any) -> Counterpart:
    return Counterpart(layer, **{"0.running_mean": mean, "0.running_var": variance, "1.gamma": gamma, "1.beta": beta})


def test_normalization_and_scaling_together_are_batch_norm() -> None:
    parity.check(AffineBatchNormalization, examples=10)


class MaskFromOutside:
    """Stands for a generator: `random(shape) >= p` is the given mask."""

    def __init__(self, mask: Array) -> None:
        self.mask = mask

    def random(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return self.mask.astype(dtype)


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_dropout_of_the_frameworks_with_masks_of_their_own_is_the_same_function(framework: str) -> None:
    if framework not in available():
        pytest.skip(f"{framework} is not installed")
    x = np.random.default_rng(0).standard_normal((32, 16)).astype(np.float32)
    for p in (0.125, 0.3, 0.9):
        kept, output = (_own_dropout(framework, p, values) for values in (np.ones_like(x), x))
        expected = Dropout(p, rng=MaskFromOutside(kept != 0)).forward(x)  # type: ignore[arg-type]  # it stands for a generator
        assert 0 < (kept != 0).mean() < 1
        np.testing.assert_array_equal(output, expected)


def _own_dropout(framework: str, p: float, x: Array) -> Array:
    if framework == "torch":
        torch.manual_seed(7)
        return torch.nn.Dropout(p)(torch.from_numpy(x)).numpy()
    return keras.layers.Dropout(p, seed=7)(x, training=True).numpy()


@both
@pytest.mark.parametrize("file", PROVEN, ids=lambda file: file.stem)
def test_every_example_is_proven(file: Path) -> None:
    (target,) = targets([parity.load(file)])
    parity.check(target, examples=10)


@both
def test_a_broken_layer_raises_what_was_judged_of_the_shrunk_example(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(EXAMPLE.read_text().replace("(1 - gate)", "(1 + gate)"))
    (target,) = targets([parity.load(broken)])
    with pytest.raises(AssertionError, match=r"rung 2 \(gradient\)") as raised:
        parity.check(target, examples=10)
    assert isinstance(raised.value, parity.ParityError)
    assert raised.value.rung == 2
    assert str(raised.value) == prove(target, "float32", examples=10).failure


def test_a_class_that_is_in_no_file_is_named_where_its_definition_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)  # as in a notebook
    names: dict[str, Any] = {"Module": Module, "__name__": "__main__"}
    exec("class Typed(Module):\n    def forward(self, x):\n        return self.remember(2 * x)", names)
    one = np.ones((1, 1), np.float32)
    script = reproduction(Case(names["Typed"](), [Step(one, one)]))
    assert "# here goes the definition of Typed, which is in no file" in script


def test_a_class_that_another_one_holds_is_imported_with_that_one() -> None:
    class Inner(Module):
        def forward(self, input: Array) -> Array:
            return self.remember(input)

        def __repr__(self) -> str:
            return "Halved.Inner()"

    Inner.__qualname__, one = "Halved.Inner", np.ones((1, 1), np.float32)
    lines = reproduction(Case(Inner(), [Step(one, one)])).splitlines()
    assert f"from {__name__} import Halved" in lines


def test_class_without_a_pair_is_told_how_to_get_one() -> None:
    class Unknown(Module):
        pass

    with pytest.raises(LookupError, match=r"register one with @parity.pair\(Unknown\)"):
        parity.check(Unknown)


class Halved(Module):
    def forward(self, input: Array) -> Array:
        return self.remember(input / 2)

    def backward(self, grad_output: Array) -> Array:
        self.recall(grad_output)
        return grad_output / 2


class Weighed(Scaling):
    """A class of its own, whose pair forgets where torch holds the shift."""


def test_a_counterpart_that_names_no_tensor_for_an_array_is_told() -> None:
    class WeighedPair(FeaturePair):
        modules = st.builds(Weighed, st.integers(1, 3))

        def torch(self, module: Weighed) -> Counterpart:
            layer = torch.nn.PReLU(module.num_features)
            return Counterpart(layer, gamma=layer.weight)

    parity.pair(Weighed)(WeighedPair)
    said = r"PyTorch's counterpart of Weighed names no tensor that holds 'beta', as Counterpart\(layer, beta=...\) does"
    with pytest.raises(LookupError, match=said):
        parity.to_torch(Weighed(2))


def test_a_subclass_is_not_proven_by_modules_of_its_base() -> None:
    @parity.pair(Halved)
    class HalvedPair(Pair):
        modules = st.builds(Halved)

    class Wrong(Halved):
        def backward(self, grad_output: Array) -> Array:
            return grad_output

    with pytest.raises(LookupError, match=r"Wrong has no pair of its own, and that of Halved draws Halved: register"):
        parity.check(Wrong)


def test_a_pair_that_draws_something_else_is_refused() -> None:
    @parity.pair(Halved)
    class HalvedPair(Pair):
        modules = st.builds(Scaling, st.just(2))

        def shapes(self, module: Scaling) -> Any:
            return st.just((3, 2))

    said = r"drawing an example of Halved raised TypeError: the pair of Halved draws Scaling\(.*\), in which there is"
    with pytest.raises(parity.ParityError, match=said):
        parity.check(Halved)


def test_missing_framework_is_left_out_and_the_rest_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    for present in available():
        monkeypatch.setattr("parity.ladder.proving.available", lambda present=present: [present])
        report = parity.prove(Scaling, examples=5)
        assert report.failure is None
        assert {use.implementation for use in report.uses.values()} == {"numpynet", present}


def test_pair_needs_only_the_framework_it_is_compared_with() -> None:
    class Doubled(Module):
        def forward(self, input: Array) -> Array:
            return self.remember(input + input)

        def backward(self, grad_output: Array) -> Array:
            self.recall(grad_output)
            return grad_output + grad_output

    @parity.pair(Doubled)
    class DoubledPair(Pair):
        modules = st.builds(Doubled)

        def torch(self, module: Doubled) -> Any:
            class Double(torch.nn.Module):
                def forward(self, input: Any) -> Any:
                    return 2 * input

            return Double()

    report = parity.prove(Doubled, examples=20)
    assert report.failure is None, report.failure
    assert report.frameworks == [name for name in available() if name == "torch"]
