"""Files of ordinary torch and Keras networks are read, and what we write, these networks load and compute the same."""

from __future__ import annotations

import copy
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from old_releases import needs_names_in_files
from test_weights import moved_off, needs_tensorflow, needs_torch, refused, same

import parity
from numpynet import (
    SGD,
    Array,
    BatchNormalization,
    Conv2d,
    Flatten,
    Graph,
    GroupNormalization,
    LayerNormalization,
    Linear,
    MaxPool2d,
    Module,
    PReLU,
    ReLU,
    Scaling,
    Sequential,
    Sum,
)
from parity.files.keras_contents import h5py
from parity.files.ordinary import names
from parity.ladder.judge import share_used
from parity.rounding.allowance import Perturb, deviations

RNG = np.random.default_rng(5)
X = RNG.uniform(-1, 1, (3, 3, 6, 8)).astype(np.float32)


def normalized(features: int) -> Sequential:
    return Sequential(BatchNormalization(features, eps=2**-10), Scaling(features))


def chain(seed: int = 0) -> Sequential:
    """Convolution, batch normalisation, activation, pooling, linear; and a normalisation of flattened images."""
    rng = np.random.default_rng(seed)
    return Sequential(
        Conv2d(3, 4, 3, padding=1, rng=rng),
        BatchNormalization(4, eps=2**-10),
        Scaling(4),
        PReLU(4),
        MaxPool2d(2),
        Flatten(),
        normalized(48),
        Linear(48, 5, rng=rng),
        LayerNormalization(1, eps=2**-10),
        Scaling(5),
        ReLU(),
        Linear(5, 2, bias=False, rng=rng),
    )


def graph(seed: int = 0) -> Graph:
    """A block with a shortcut, whose layers torch and Keras have by the same names."""
    rng = np.random.default_rng(seed)
    nodes = {
        "conv": (Conv2d(3, 4, 3, padding=1, rng=rng), "x"),
        "bn": (BatchNormalization(4, eps=2**-10), "conv"),
        "scaled": (Scaling(4), "bn"),
        "short": (Conv2d(3, 4, 1, rng=rng), "x"),
        "norm": (Sequential(GroupNormalization(2, eps=2**-10), Scaling(4)), "short"),
        "sum": (Sum(), "scaled", "norm"),
        "depth": (Conv2d(4, 8, 3, groups=4, bias=False, rng=rng), "sum"),
        "flat": (Flatten(), "depth"),
        "fc": (Linear(192, 2, rng=rng), "flat"),
    }
    return Graph({"x": (3, 6, 8)}, nodes, ["fc"])


def torch_chain() -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4, eps=2**-10),
        nn.PReLU(4),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.BatchNorm1d(48, eps=2**-10),
        nn.Linear(48, 5),
        nn.LayerNorm(5, eps=2**-10),
        nn.ReLU(),
        nn.Linear(5, 2, bias=False),
    )


def torch_graph() -> Any:
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4, eps=2**-10)
            self.short, self.norm = nn.Conv2d(3, 4, 1), nn.GroupNorm(2, 4, eps=2**-10)
            self.depth, self.fc = nn.Conv2d(4, 8, 3, groups=4, bias=False), nn.Linear(192, 2)

        def forward(self, x: Any) -> Any:
            return self.fc(self.depth(self.bn(self.conv(x)) + self.norm(self.short(x))).flatten(1))

    return Block()


def keras_chain() -> Any:
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 8, 3)),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(epsilon=2**-10),
            layers.PReLU(shared_axes=[1, 2]),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.BatchNormalization(epsilon=2**-10),
            layers.Dense(5),
            layers.LayerNormalization(epsilon=2**-10),
            layers.ReLU(),
            layers.Dense(2, use_bias=False),
        ]
    )


def keras_graph(named: bool = True) -> Any:
    import keras

    layers = keras.layers
    conv, bn, short, norm, depth, fc = ("conv", "bn", "short", "norm", "depth", "fc") if named else [None] * 6
    x = keras.Input((6, 8, 3))
    main = layers.Conv2D(4, 3, padding="same", name=conv)(x)
    main = layers.BatchNormalization(epsilon=2**-10, name=bn)(main)
    side = layers.GroupNormalization(2, epsilon=2**-10, name=norm)(layers.Conv2D(4, 1, name=short)(x))
    y = layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False, name=depth)(layers.Add()([main, side]))
    return keras.Model(x, layers.Dense(2, name=fc)(layers.Flatten()(y)))


Network = Callable[..., Any]
TORCH: list[tuple[Network, Network]] = [(chain, torch_chain), (graph, torch_graph)]
KERAS: list[tuple[Network, Network]] = [
    (chain, keras_chain),
    (graph, keras_graph),
    (graph, partial(keras_graph, False)),
]
F32 = np.dtype(np.float32)


def agree(net: Module, theirs: Array) -> bool:
    """Whether these are the outputs of `net` in evaluation, within what rounding makes of them."""
    wide, x = net.evaluate().astype(np.float64), X.astype(np.float64)

    def run(perturb: Perturb) -> dict[str, Array]:
        twin = copy.deepcopy(wide)
        twin.map_state(lambda _, values: perturb(values))
        return {"output": twin(perturb(x))}

    reference = wide(x)
    return share_used(theirs, reference, deviations({"output": reference}, run, F32)["output"], F32) <= 1


def of_torch(model: Any) -> Array:
    import torch

    outputs: Array = model.eval()(torch.from_numpy(X)).detach().numpy()
    return outputs


def of_keras(model: Any) -> Array:
    outputs: Array = model(X.transpose(0, 2, 3, 1), training=False).numpy()
    return outputs


def moved_tensors(model: Any) -> Any:
    """The torch model, none of whose floating tensors keeps the value that it starts with."""
    import torch

    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.from_numpy(RNG.uniform(0.5, 1.5, tuple(tensor.shape)).astype(np.float32)))
    return model


def moved_variables(model: Any) -> Any:
    """The Keras model, none of whose variables keeps the value that it starts with."""
    model.set_weights([RNG.uniform(0.5, 1.5, values.shape).astype(np.float32) for values in model.get_weights()])
    return model


@needs_torch
@pytest.mark.parametrize("ending", ["pt", "pth", "safetensors"])
@pytest.mark.parametrize(("ours", "theirs"), TORCH)
def test_an_ordinary_torch_module_loads_what_we_save(
    ours: Network, theirs: Network, ending: str, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file

    net, path, model = moved_off(ours()), tmp_path / f"net.{ending}", theirs()
    parity.save_weights(net, path)
    saved = load_file(path) if ending == "safetensors" else torch.load(path, weights_only=True)
    model.load_state_dict(saved)
    assert agree(net, of_torch(model))


@needs_torch
@pytest.mark.parametrize("ending", ["pt", "pth", "safetensors"])
@pytest.mark.parametrize(("ours", "theirs"), TORCH)
def test_we_load_what_an_ordinary_torch_module_saves(
    ours: Network, theirs: Network, ending: str, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import save_file

    net, path, model = ours(), tmp_path / f"net.{ending}", moved_tensors(theirs())
    if ending == "safetensors":
        save_file(model.state_dict(), path)
    else:
        torch.save({"epoch": 3, "state_dict": model.state_dict()}, path)
    parity.load_weights(net, path)
    tensors = model.state_dict()
    assert same(net.state_dict(), {ours: tensors[theirs].numpy() for ours, theirs in names(net).items()})
    assert agree(net, of_torch(model))


@needs_tensorflow
@pytest.mark.parametrize(("ours", "theirs"), KERAS)
def test_an_ordinary_keras_model_loads_what_we_save(ours: Network, theirs: Network, tmp_path: Path) -> None:
    net, model = moved_off(ours()), theirs()
    parity.save_weights(net, tmp_path / "net.weights.h5")
    model.load_weights(tmp_path / "net.weights.h5")
    assert agree(net, of_keras(model))


@needs_tensorflow
@pytest.mark.parametrize(
    ("ours", "theirs", "ending"), [*((*pair, "weights.h5") for pair in KERAS), (*KERAS[0], "keras")]
)
def test_we_load_what_an_ordinary_keras_model_saves(
    ours: Network, theirs: Network, ending: str, tmp_path: Path
) -> None:
    net, path, model = ours(), tmp_path / f"net.{ending}", moved_variables(theirs())
    (model.save if ending == "keras" else model.save_weights)(path)
    parity.load_weights(net, path)
    assert agree(net, of_keras(model))
    again = ours(1)
    parity.save_weights(net, tmp_path / "back.weights.h5")
    parity.load_weights(again, tmp_path / "back.weights.h5")
    assert same(again.state_dict(), net.state_dict())
    model.load_weights(tmp_path / "back.weights.h5")
    assert agree(net, of_keras(model))


def nested() -> Sequential:
    inside = Sequential(Conv2d(4, 2, 3), Flatten())
    return Sequential(Conv2d(3, 4, 3), Sequential(BatchNormalization(4, eps=2**-10), Scaling(4), inside), Linear(16, 2))


@needs_tensorflow
@pytest.mark.parametrize("flat", [True, False])
def test_a_keras_model_that_is_nested_like_ours_or_flat_is_loaded(flat: bool, tmp_path: Path) -> None:
    import keras

    layers = keras.layers
    first, last = [keras.Input((6, 8, 3)), layers.Conv2D(4, 3)], [layers.Dense(2)]
    normalization, inside = [layers.BatchNormalization(epsilon=2**-10)], [layers.Conv2D(2, 3), layers.Flatten()]
    if not flat:
        normalization = [keras.Sequential([*normalization, keras.Sequential(inside)])]
        inside = []
    model = moved_variables(keras.Sequential([*first, *normalization, *inside, *last]))
    net = nested()
    model.save_weights(tmp_path / "net.weights.h5")
    with h5py.File(tmp_path / "net.weights.h5", "r+") as file:
        file["layers/dropout/seed_generator/vars/0"] = np.array([0, 3], np.uint32)  # as releases of Keras have it
    parity.load_weights(net, tmp_path / "net.weights.h5")
    assert agree(net, of_keras(model))


@needs_tensorflow
def test_a_keras_model_with_attributes_for_layers_is_loaded_by_their_names(tmp_path: Path) -> None:
    import keras

    class Subclass(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.b, self.a = keras.layers.Dense(4), keras.layers.Dense(4)

        def call(self, x: Any) -> Any:
            return self.b(self.a(x))

    net, model, x = (
        Graph({"x": (4,)}, {"a": (Linear(4, 4), "x"), "b": (Linear(4, 4), "a")}, ["b"]),
        Subclass(),
        X[0, 0, :, :4],
    )
    model(x)
    moved_variables(model)
    model.save_weights(tmp_path / "net.weights.h5")
    parity.load_weights(net, tmp_path / "net.weights.h5")
    assert same(
        net.state_dict(),
        {
            f"{name}.{array}": values
            for name in "ab"
            for array, values in zip(
                ("weight", "bias"),
                (getattr(model, name).kernel.numpy().T, getattr(model, name).bias.numpy()),
                strict=True,
            )
        },
    )


# The state of optimizers. The gradients are the weights themselves, so that after the first step, with a learning rate
# of a half, the weights are a half of what they were, and the velocities are all of it.


def velocities_are_twice_the_weights(net: Module, optimizer: SGD) -> bool:
    assert optimizer.steps == 1
    return all(
        np.array_equal(state["velocity"], 2 * parameter.value)
        for parameter, state in zip(optimizer.parameters, optimizer.state, strict=True)
    )


@needs_torch
def test_velocities_of_an_ordinary_torch_module_go_both_ways(tmp_path: Path) -> None:
    import torch

    model, net = moved_tensors(torch_chain()), chain()
    rule = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.5)
    for tensor in model.parameters():
        tensor.grad = tensor.detach().clone()
    rule.step()
    torch.save({"state_dict": model.state_dict(), "optimizer": rule.state_dict()}, tmp_path / "net.pth")
    optimizer = SGD(
        net.parameters(),
        lr=0.5,
        momentum=0.5,
    )
    parity.load_weights(net, tmp_path / "net.pth", optimizer)
    optimizer.steps = 1  # torch's SGD counts none
    assert velocities_are_twice_the_weights(net, optimizer)
    parity.save_weights(net, tmp_path / "back.pt", optimizer)
    saved = torch.load(tmp_path / "back.pt", weights_only=True)["optimizer_state_dict"]["state"]
    found = [state["momentum_buffer"].numpy() for state in saved.values()]
    assert all(map(np.array_equal, found, (2 * tensor.detach().numpy() for tensor in model.parameters())))
    assert len(found) == len(optimizer.parameters)


@needs_tensorflow
def test_velocities_of_an_ordinary_keras_model_go_both_ways(tmp_path: Path) -> None:
    import keras

    model, net, again = moved_variables(keras_chain()), chain(), moved_variables(keras_chain())
    for one in (model, again):
        one.compile(keras.optimizers.SGD(0.5, momentum=0.5))
        one.optimizer.build(one.trainable_variables)
    gradients = [variable.numpy() for variable in model.trainable_variables]
    model.optimizer.apply(gradients, model.trainable_variables)
    model.save(tmp_path / "net.keras")
    optimizer = SGD(net.parameters(), lr=0.5, momentum=0.5)
    parity.load_weights(net, tmp_path / "net.keras", optimizer)
    assert velocities_are_twice_the_weights(net, optimizer)
    parity.save_weights(net, tmp_path / "back.weights.h5", optimizer)
    again.load_weights(tmp_path / "back.weights.h5")
    for found, wanted in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        assert np.array_equal(found.numpy(), wanted.numpy())


# What is refused


def test_missing_and_unknown_arrays_of_a_safetensors_file_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    parity.save_weights(Sequential(Linear(4, 3), ReLU(), Linear(3, 2, bias=False)), path)
    refused(
        Sequential(Linear(4, 3, bias=False), ReLU(), Linear(3, 2)),
        path,
        r"fit: 0\.bias is unknown, 2\.bias is missing$",
    )


@needs_torch
def test_nobody_is_advised_to_run_what_is_in_a_file(tmp_path: Path) -> None:
    import torch

    torch.save({"state_dict": torch.nn.Linear(2, 2)}, tmp_path / "net.pth")
    with pytest.raises(
        ValueError, match=r"it would call torch\.nn\.modules\.linear\.Linear; a state_dict alone is read$"
    ) as caught:
        parity.load_weights(Linear(2, 2), tmp_path / "net.pth")
    assert "weights_only" not in str(caught.value)


@needs_tensorflow
def test_a_torn_or_foreign_archive_is_refused_and_none_is_written(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    with pytest.raises(ValueError, match="holds an architecture too"):
        parity.save_weights(Linear(2, 2), path)
    assert not list(tmp_path.iterdir())
    path.write_bytes(b"PK\x03\x04 and no more")
    refused(Linear(2, 2), path, "net.keras is torn, or no archive of Keras")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "a foreign archive")
    refused(Linear(2, 2), path, "net.keras is torn, or no archive of Keras")


def twins() -> Graph:
    rng = np.random.default_rng(2)
    nodes = {"a": (Linear(4, 4, rng=rng), "x"), "b": (Linear(4, 4, rng=rng), "x"), "sum": (Sum(), "a", "b")}
    return Graph({"x": (4,)}, nodes, ["sum"])


def saved_twins(path: Path, *names: str | None) -> list[Any]:
    """Writes the weights of two layers that are alike, the second of which is called first; returns the layers."""
    import keras

    x, layers = keras.Input((4,)), [keras.layers.Dense(4, name=name) for name in names]
    keras.Model(x, keras.layers.Add()([layer(x) for layer in reversed(layers)])).save_weights(path)
    return layers


@needs_tensorflow
def test_layers_that_a_file_does_not_tell_apart_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.weights.h5"
    saved_twins(path, None, None)
    refused(twins(), path, "which of its layers are a and b, which are alike: give the nodes")


@needs_names_in_files
@needs_tensorflow
def test_layers_that_are_alike_are_told_apart_by_their_names(tmp_path: Path) -> None:
    path, net = tmp_path / "net.weights.h5", twins()
    layers = saved_twins(path, "a", "b")
    parity.load_weights(net, path)
    for name, layer in zip("ab", layers, strict=True):
        assert np.array_equal(net[name].state_dict()["weight"], layer.kernel.numpy().T)


@needs_tensorflow
def test_keras_gets_no_weights_of_flattened_images_whose_channels_nobody_knows(tmp_path: Path) -> None:
    path = tmp_path / "net.weights.h5"
    with pytest.raises(ValueError, match=r"2: Keras flattens .* it is not known how many channels these had"):
        parity.save_weights(Sequential(MaxPool2d(2), Flatten(), Linear(12, 2)), path)
    assert not list(tmp_path.iterdir())


@needs_tensorflow
def test_a_file_that_may_have_flattened_images_channels_first_or_last_is_refused_unless_it_has_names(
    tmp_path: Path,
) -> None:
    path, net = (
        tmp_path / "net.weights.h5",
        Graph({"x": (3, 6, 8)}, {"flat": (Flatten(), "x"), "fc": (Linear(144, 2, rng=RNG), "flat")}, ["fc"]),
    )
    parity.to_tensorflow(net).save_weights(path)
    refused(net, path, "whether the images that are flattened have their channels last, or first")
    parity.save_weights(net, path)
    before = net.state_dict()
    parity.load_weights(net, path)
    assert same(net.state_dict(), before)
