"""Weight files go to the frameworks and come back, whole; training goes on from them; and wrong ones are refused."""

from __future__ import annotations

import contextlib
import copy
import functools
import pickle
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import Phase, find, settings
from hypothesis.errors import NoSuchExample

import parity
from numpynet import (
    SGD,
    Adam,
    Array,
    BatchNormalization,
    Conv2d,
    CrossEntropyCriterion,
    Flatten,
    Graph,
    Linear,
    Module,
    Optimizer,
    Parameter,
    ReLU,
    Scaling,
    Sequential,
    Sum,
)
from numpynet.datasets import digits
from parity.files.weights import FORMATS
from parity.frameworks import available
from parity.ladder.proving import targets
from parity.mapping import convert
from parity.mapping.pair import pair_of
from parity.training.curves import MOVED_RUNS, judge_losses
from parity.training.experiment import Moved

NEEDS = {".safetensors": "numpynet", ".pt": "torch", ".weights.h5": "tensorflow"}
INSTALLED = ["numpynet", *available()]
SUFFIXES = [suffix for suffix in NEEDS if NEEDS[suffix] in INSTALLED]
SUFFIX = {implementation: suffix for suffix, implementation in NEEDS.items()}

M = TypeVar("M", bound=Module)


def mlp(seed: int = 0, dtype: str = "float32") -> Sequential:
    rng = np.random.default_rng(seed)
    return Sequential(
        Linear(64, 24, bias=False, rng=rng),
        BatchNormalization(24, alpha=0.875, eps=2**-10),
        ReLU(),
        Scaling(24),  # not behind the normalisation, as one layer with which it would be in files
        Linear(24, 10, rng=rng),
    ).astype(dtype)


def images(seed: int = 0) -> Sequential:
    rng = np.random.default_rng(seed)
    return Sequential(
        Conv2d(1, 4, 3, padding=1, rng=rng),
        Sequential(BatchNormalization(4), Scaling(4)),
        Flatten(),
        Linear(256, 10, rng=rng),
    )


def residual(seed: int = 0) -> Graph:
    rng = np.random.default_rng(seed)
    nodes = {
        "a": (Linear(64, 64, rng=rng), "x"),
        "b": (ReLU(), "a"),
        "c": ("a", "b"),
        "sum": (Sum(), "x", "c"),
        "out": (Linear(64, 10, rng=rng), "sum"),
    }
    return Graph({"x": (64,)}, nodes, ["out"])


def layer(seed: int = 0) -> Linear:
    return Linear(3, 2, rng=np.random.default_rng(seed))


NETWORKS: list[Callable[..., Module]] = [mlp, images, residual, layer]


def moved_off(net: M, seed: int = 9) -> M:
    """No array keeps the value that it starts with."""
    rng = np.random.default_rng(seed)
    net.map_state(lambda _, values: rng.uniform(0.5, 1.5, values.shape).astype(values.dtype))
    return net


def same(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("network", NETWORKS)
def test_what_was_saved_is_loaded_to_the_bit(network: Callable[..., Module], suffix: str, tmp_path: Path) -> None:
    net, other = moved_off(network()), network(1)
    parity.save_weights(net, tmp_path / f"net{suffix}")
    parity.load_weights(other, tmp_path / f"net{suffix}")
    assert same(other.state_dict(), net.state_dict())
    assert [path.name for path in tmp_path.iterdir()] == [f"net{suffix}"]


@functools.cache
def with_arrays() -> list[Module]:
    """One drawn instance of every class that has parameters or running statistics, and a pair."""
    once, found = settings(database=None, max_examples=50, phases=[Phase.generate]), []
    for target in targets():
        if issubclass(target, Module):
            with contextlib.suppress(NoSuchExample):
                found.append(find(pair_of(target).modules, lambda module: bool(module.state_dict()), settings=once))
    return found


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_so_is_every_layer_that_has_arrays(suffix: str, tmp_path: Path) -> None:
    drawn = copy.deepcopy(with_arrays())
    assert {type(module) for module in drawn} >= {Linear, Conv2d, BatchNormalization, Scaling, Sequential, Graph}
    for module in drawn:
        other = copy.deepcopy(moved_off(module))
        other.map_state(lambda _, values: np.zeros_like(values))
        parity.save_weights(module, tmp_path / f"one{suffix}")
        parity.load_weights(other, tmp_path / f"one{suffix}")
        assert same(other.state_dict(), module.state_dict()), module


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_float64_is_kept_and_cast_to_what_the_model_computes_in(suffix: str, tmp_path: Path) -> None:
    net, narrow = mlp(dtype="float64"), mlp(1)
    net.map_state(lambda _, values: values + 1 / 3)
    wide = mlp(1, "float64")
    parity.save_weights(net, tmp_path / f"net{suffix}")
    parity.load_weights(wide, tmp_path / f"net{suffix}")
    parity.load_weights(narrow, tmp_path / f"net{suffix}")
    assert same(wide.state_dict(), net.state_dict())
    assert same(narrow.state_dict(), net.astype("float32").state_dict())


def test_a_safetensors_file_with_numpynets_own_names_is_read(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    net, back = moved_off(images()), images(1)
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    parity.load_weights(back, tmp_path / "net.safetensors")
    assert same(back.state_dict(), net.state_dict())


needs_torch = pytest.mark.skipif("torch" not in INSTALLED, reason="torch is not installed")
needs_tensorflow = pytest.mark.skipif("tensorflow" not in INSTALLED, reason="tensorflow is not installed")


@needs_torch
@pytest.mark.parametrize("network", NETWORKS)
def test_what_the_torch_counterpart_saves_is_read(network: Callable[..., Module], tmp_path: Path) -> None:
    import torch

    net, back = moved_off(network()), network(2)
    torch.save(parity.to_torch(net).state_dict(), tmp_path / "torch.pt")
    parity.load_weights(back, tmp_path / "torch.pt")
    assert same(back.state_dict(), net.state_dict())


@needs_torch
def test_a_safetensors_file_that_torch_wrote_is_read(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    net, back = moved_off(images()), images(1)
    save_file(parity.to_torch(net).state_dict(), tmp_path / "net.safetensors")
    parity.load_weights(back, tmp_path / "net.safetensors")
    assert same(back.state_dict(), net.state_dict())


@needs_tensorflow
@pytest.mark.parametrize("network", [mlp, images, residual])
def test_what_the_keras_counterpart_saves_is_read(network: Callable[..., Module], tmp_path: Path) -> None:
    net, back = moved_off(network()), network(2)
    converted = parity.to_tensorflow(net)
    inputs = np.ones((2, 1, 8, 8) if network is images else (2, 64), np.float32)
    converted(inputs)  # Keras wants to have seen data
    converted.save_weights(tmp_path / "keras.weights.h5")
    parity.load_weights(back, tmp_path / "keras.weights.h5")
    assert same(back.state_dict(), net.state_dict())


# Training goes on

BEFORE, AFTER, BATCH = 20, 20, 16
Rule = Callable[[Iterable[Parameter]], Optimizer]
Curves = tuple[Rule, list[float], list[list[float]]]  # with the reference's losses, and those of the moved runs
RULES: dict[str, Rule] = {
    "momentum": lambda parameters: SGD(parameters, lr=2**-4, momentum=0.875, nesterov=True),
    "adam": lambda parameters: Adam(parameters, lr=2**-7, beta1=0.875, beta2=1 - 2**-6, eps=2**-10),
    "adam of Keras": lambda parameters: Adam(
        parameters, lr=2**-7, beta1=0.875, beta2=1 - 2**-6, eps=2**-6, eps_hat=True
    ),
}


def trainer(implementation: str, rule: Rule, seed: int = 0) -> Any:
    net = mlp(seed)
    return convert.trainer(net, CrossEntropyCriterion(), rule(net.parameters()), implementation)


def losses(made: Any, first: int, last: int) -> list[float]:
    train = digits().train
    rows = [slice(step * BATCH, (step + 1) * BATCH) for step in range(first, last)]
    return [made.step(train.inputs[at], train.targets[at]) for at in rows]


def save_natively(made: Any, path: Path) -> None:
    """As each implementation's users do."""
    if made.name == "torch":
        import torch

        document = {
            "model_state_dict": made.layer.state_dict(),
            "optimizer_state_dict": made.rule.optimizer.state_dict(),
        }
        torch.save(document, path)
    else:
        made.layer.compile(made.rule.keras)
        made.layer.save_weights(path)


def load_natively(made: Any, path: Path) -> None:
    if made.name == "torch":
        import torch

        document = torch.load(path, weights_only=True)
        made.layer.load_state_dict(document["model_state_dict"])
        made.rule.optimizer.load_state_dict(document["optimizer_state_dict"])
    else:
        made.predict(digits().train.inputs[:1])
        made.layer.compile(made.rule.keras)
        made.layer.load_weights(path)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_numpynet_goes_on_from_a_file_as_if_it_had_never_stopped(suffix: str, rule: str, tmp_path: Path) -> None:
    stopped, whole = trainer("numpynet", RULES[rule]), trainer("numpynet", RULES[rule])
    losses(stopped, 0, BEFORE)
    parity.save_weights(stopped.model, tmp_path / f"net{suffix}", stopped.optimizer)
    resumed = trainer("numpynet", RULES[rule], seed=1)
    parity.load_weights(resumed.model, tmp_path / f"net{suffix}", resumed.optimizer)
    assert resumed.optimizer.steps == BEFORE
    assert losses(resumed, BEFORE, BEFORE + AFTER) == losses(whole, 0, BEFORE + AFTER)[BEFORE:]


@pytest.fixture(scope="module", params=RULES)
def curve(request: pytest.FixtureRequest) -> Curves:
    """The uninterrupted curve, and those of weights moved by a unit in the last place before every step."""
    rule = RULES[request.param]

    def moved(index: int) -> Moved:
        return Moved(trainer("numpynet", rule), np.random.default_rng(index))

    reference = losses(trainer("numpynet", rule), 0, BEFORE + AFTER)
    return rule, reference, [losses(moved(index), 0, BEFORE + AFTER) for index in range(MOVED_RUNS)]


Begun = Callable[[str, Rule], tuple[list[float], Path]]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Begun:
    """The first half of the curve of a network trained by an implementation, and the file saved by its own means."""

    @functools.cache
    def trained(first: str, rule: Rule) -> tuple[list[float], Path]:
        start = trainer(first, rule)
        found = losses(start, 0, BEFORE)
        path = tmp_path_factory.mktemp("begun") / f"{first}{SUFFIX[first]}"
        if first == "numpynet":
            parity.save_weights(start.model, path, start.optimizer)
        else:
            save_natively(start, path)
        return found, path

    return trained


def handed_over(
    half: tuple[list[float], Path], second: str, rule: Rule, folder: Path, forget: Collection[str] = ()
) -> tuple[list[float], float]:
    """The curve that begins with `half` of one, as `second` goes on with it from the file."""
    (found, path), end = half, trainer(second, rule, seed=1)
    net = mlp(2)
    optimizer = rule(net.parameters())
    parity.load_weights(net, path, None if "optimizer" in forget else optimizer)
    if "statistics" in forget:
        normalization = net[1]
        assert isinstance(normalization, BatchNormalization)
        normalization.running_mean = np.zeros_like(normalization.running_mean)
    path = folder / f"{second}{SUFFIX[second]}"
    parity.save_weights(net, path, optimizer)
    if second == "numpynet":
        parity.load_weights(end.model, path, end.optimizer)
    else:
        load_natively(end, path)
    found = [*found, *losses(end, BEFORE, BEFORE + AFTER)]
    return found, end.loss(end.predict(digits().test.inputs), digits().test.targets)


ORDERED_PAIRS = [(first, second) for first in INSTALLED for second in INSTALLED if first != second]


@pytest.mark.parametrize(("first", "second"), ORDERED_PAIRS)
def test_a_network_trained_in_one_goes_on_in_another_from_the_file(
    first: str, second: str, curve: Curves, begun: Begun, tmp_path: Path
) -> None:
    rule, reference, moved = curve
    found, _ = handed_over(begun(first, rule), second, rule, tmp_path)
    series = judge_losses({"handed over": found}, reference, moved, "float32")
    assert series.compared == BEFORE + AFTER
    assert series.used["handed over"] <= 1
    assert reference[-1] < reference[0] / 2


def test_a_hand_over_that_forgets_the_velocities_leaves_the_curve(curve: Curves, begun: Begun, tmp_path: Path) -> None:
    rule, reference, moved = curve
    found, _ = handed_over(begun("numpynet", rule), "numpynet", rule, tmp_path, forget=["optimizer"])
    assert judge_losses({"handed over": found}, reference, moved, "float32").used["handed over"] > 1
    assert found[:BEFORE] == reference[:BEFORE]


def test_frozen_parameters_have_no_state_and_keep_their_place(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        made = trainer("numpynet", RULES["adam"])
        made.model[0].weight.trainable = False
        losses(made, 0, 3)
        parity.save_weights(made.model, tmp_path / f"net{suffix}", made.optimizer)
        other = trainer("numpynet", RULES["adam"], seed=1)
        other.model[0].weight.trainable = False
        parity.load_weights(other.model, tmp_path / f"net{suffix}", other.optimizer)
        assert same(other.optimizer.state_dict(), made.optimizer.state_dict())


# What is refused


def refused(
    net: Module, path: Path, match: str, optimizer: Optimizer | None = None, error: type[Exception] = ValueError
) -> None:
    """Loading raises, and leaves the model as it was."""
    before = net.state_dict()
    with pytest.raises(error, match=match):
        parity.load_weights(net, path, optimizer)
    assert same(net.state_dict(), before)


def test_an_unknown_ending_is_refused_and_the_known_ones_are_named(tmp_path: Path) -> None:
    for action in (parity.save_weights, parity.load_weights):
        with pytest.raises(
            ValueError, match=r"net\.h5 ends in none of \.safetensors, \.pt, \.pth, \.weights\.h5, \.keras"
        ):
            action(mlp(), tmp_path / "net.h5")
    refused(mlp(), tmp_path / "net.safetensors", "there is no file", error=FileNotFoundError)


@pytest.mark.parametrize("suffix", SUFFIXES)
class TestAFileIsRefused:
    def test_when_it_is_torn_empty_or_something_else(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"net{suffix}"
        parity.save_weights(mlp(), path)
        whole = path.read_bytes()
        for contents in (whole[: len(whole) // 2], whole[:-1], b"", b"these are no weights, but a sentence"):
            path.write_bytes(contents)
            refused(mlp(1), path, r"is torn, or no (safetensors|torch|HDF5) file")

    def test_when_arrays_are_missing_unknown_or_misshapen(self, suffix: str, tmp_path: Path) -> None:
        path, rng = tmp_path / f"net{suffix}", np.random.default_rng(0)
        parity.save_weights(Sequential(Linear(4, 3, rng=rng), ReLU(), Linear(3, 2, rng=rng)), path)
        refused(Sequential(Linear(4, 3)), path, r"does not fit: .*2.weight|does not fit: .*dense_1.* is unknown")
        refused(Sequential(Linear(4, 3), ReLU(), Linear(3, 2), Linear(2, 2)), path, "does not fit: .*missing")
        refused(Sequential(Linear(4, 3), ReLU(), Linear(3, 5)), path, r"does not fit: .*shape \(")
        refused(Sequential(Linear(4, 3), ReLU(), Linear(3, 2, bias=False)), path, "does not fit: .*unknown")

    def test_when_it_holds_no_optimizer_or_another(self, suffix: str, tmp_path: Path) -> None:
        path, net, other = tmp_path / f"net{suffix}", mlp(), mlp(1)
        parity.save_weights(net, path)
        refused(other, path, "was saved without an optimizer", RULES["adam"](other.parameters()))
        made = trainer("numpynet", RULES["momentum"])
        losses(made, 0, 2)
        parity.save_weights(made.model, path, made.optimizer)
        refused(other, path, "does not fit|another optimizer", RULES["adam"](other.parameters()))
        few = SGD(other.parameters()[:1], lr=0.5, momentum=0.5)
        refused(other, path, "does not fit|an optimizer of 5 parameters, not of 1", few)
        parity.load_weights(other, path)
        assert same(other.state_dict(), made.model.state_dict())

    def test_rather_than_left_half_written(self, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / f"net{suffix}"
        parity.save_weights(mlp(), path)
        before = path.read_bytes()

        def full(path: Path, model: Module, optimizer: Optimizer | None) -> None:
            Path(path).write_bytes(b"half")
            raise OSError("no space left")

        monkeypatch.setitem(FORMATS, suffix, FORMATS[suffix]._replace(write=full))
        with pytest.raises(OSError, match="no space left"):
            parity.save_weights(mlp(1), path)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix != ".safetensors"])
def test_an_optimizer_of_another_models_parameters_is_refused(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="parameters that are none of the model's"):
        parity.save_weights(mlp(), tmp_path / f"net{suffix}", SGD(mlp().parameters(), lr=0.5))


class Malice:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@needs_torch
def test_a_pickle_that_is_no_state_dict_is_refused_and_not_run(tmp_path: Path) -> None:
    import torch

    path, victim = tmp_path / "net.pt", tmp_path / "victim"
    path.write_bytes(pickle.dumps(Malice(victim), protocol=2))
    refused(mlp(), path, "is torn, or no torch file of tensors alone")
    torch.save(Malice(victim), path)
    refused(mlp(), path, "is torn, or no torch file of tensors alone")
    torch.save(torch.nn.Linear(2, 2), path)
    refused(mlp(), path, "is torn, or no torch file of tensors alone")
    assert not victim.exists()
    for document in ([torch.ones(2)], {"epoch": 3}, {}):
        torch.save(document, path)
        refused(mlp(), path, f"holds no state_dict, but a {type(document).__name__}")
