"""Networks: modules one after another, graphs of them, and the layers that join their branches."""

from __future__ import annotations

import contextlib
import copy
import functools
import operator
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from numpynet.module import Array, Module, Parameter, join


class Sequential(Module):
    """Modules applied one after another: each takes the output of the one before.

    `net[i]` is the i-th module, len(net) their number. Raises ValueError where a module is given twice: a `Graph` uses
    one at several places.
    """

    def __init__(self, *modules: Module) -> None:
        self.modules = list(modules)
        refuse_repeated(self)

    def forward(self, input: Array) -> Array:
        for module in self.modules:
            input = module(input)
        return input

    def backward(self, grad_output: Array) -> Array:
        for module in reversed(self.modules):
            grad_output = module.backward(grad_output)
        return grad_output

    def accumulate(self, grad_output: Array) -> None:
        for module in reversed(self.modules[1:]):
            grad_output = module.backward(grad_output)
        for module in self.modules[:1]:
            module.accumulate(grad_output)

    def children(self) -> dict[str, Module]:
        return {str(index): module for index, module in enumerate(self.modules)}

    def __getitem__(self, index: int) -> Module:
        return self.modules[index]

    def __len__(self) -> int:
        return len(self.modules)

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.modules))})"


class Graph(Module):
    """Layers applied in the order of `nodes`, each to what the inputs and earlier nodes hold.

        Graph(
            {"x": (8,)},                   # inputs: name -> shape without the batch, None where it is open
            {
                "a": (Linear(8, 8), "x"),  # node -> layer, and what it is applied to
                "b": (ReLU(), "a"),
                "c": ("a", "b"),           # the layer of node a once more
                "out": (Sum(), "x", "c"),
            },
            ["out"],                       # outputs: what the graph returns
        )

    `forward` takes one array (N, *shape), or a tuple of them where there are several inputs, and returns likewise one
    output or a tuple; `backward` takes the outputs' gradients and returns those of the inputs. What is used at several
    places gets the sum of their gradients. A layer that is used at several places has one set of parameters and running
    statistics, and remembers at each place what it did there. `graph["c"]` is the layer of a node.

    Raises ValueError for names that are unknown, used before they are computed, or taken twice; for inputs and nodes
    that nothing uses; for a layer that is given twice, where its node should be named; and for an input of another
    shape.
    """

    def __init__(
        self,
        inputs: Mapping[str, tuple[int | None, ...]],
        nodes: Mapping[str, tuple[Any, ...]],
        outputs: Sequence[str],
    ) -> None:
        self.inputs = dict(inputs)
        self.nodes = dict(nodes)
        self.outputs = list(outputs)
        self._check()
        refuse_repeated(self)
        layers = [layer for layer, *_ in self.nodes.values()]
        # What a shared layer remembers, by node: its modules' private attributes.
        self._memories = {
            node: [copy.deepcopy(_private(module)) for _, module in self[node].named_modules()]
            for node, (layer, *_) in self.nodes.items()
            if layer in self.nodes or node in layers
        }

    def _check(self) -> None:
        known, used = set(self.inputs), set(self.outputs)
        if not self.nodes or not self.outputs:
            raise ValueError("Graph takes at least one node and one output")
        for node, (layer, *sources) in self.nodes.items():
            if node in known or not node.isidentifier():
                raise ValueError(f"Graph: {node!r} is no new name; names are identifiers, each given once")
            if not sources or not (isinstance(layer, Module) or layer in known - set(self.inputs)):
                raise ValueError(
                    f"Graph: node {node!r} takes a layer, or an earlier node that has it, and at least one name to "
                    f"apply it to, got {(layer, *sources)}"
                )
            self._refuse_unknown(f"node {node!r} uses", sources, known)
            known.add(node)
            used.update(sources)
        self._refuse_unknown("the outputs are", self.outputs, known)
        if idle := sorted(known - used):
            raise ValueError(f"Graph: nothing uses {', '.join(idle)}, and it is no output")

    def _refuse_unknown(self, who: str, names: Collection[str], known: Collection[str]) -> None:
        if unknown := [name for name in names if name not in known]:
            later = " before it is computed: nodes come in the order of computation" * (unknown[0] in self.nodes)
            raise ValueError(f"Graph: {who} {unknown[0]!r}{later or ', which is no name here'}")

    def __getitem__(self, node: str) -> Module:
        layer = self.nodes[node][0]
        return layer if isinstance(layer, Module) else self[layer]

    def children(self) -> dict[str, Module]:
        return {node: layer for node, (layer, *_) in self.nodes.items() if isinstance(layer, Module)}

    def named_call_sites(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        for node in self.nodes:
            yield from self[node].named_call_sites(join(prefix, node))

    def forward(self, input: Any) -> Any:
        values = dict(zip(self.inputs, _parts("inputs", input, self.inputs), strict=True))
        for name, shape in self.inputs.items():
            found = np.shape(values[name])
            if len(found) != 1 + len(shape) or any(n not in (None, m) for n, m in zip(shape, found[1:], strict=True)):
                raise ValueError(f"Graph: input {name!r} has shape (N, {', '.join(map(str, shape))}), got {found}")
        for node, (_, *sources) in self.nodes.items():
            with self._layer_at(node) as layer:
                values[node] = layer(packed([values[source] for source in sources]))
        return packed([values[output] for output in self.outputs])

    def backward(self, grad_output: Any) -> Any:
        gradients = self._send_back(grad_output, to_inputs=True)
        return packed([gradients[name] for name in self.inputs])

    def accumulate(self, grad_output: Any) -> None:
        self._send_back(grad_output, to_inputs=False)

    def _send_back(self, grad_output: Any, to_inputs: bool) -> dict[str, Any]:
        """The gradients of the inputs, by name; a node's gradient is released as soon as it has been used.

        Without `to_inputs`, layers that are applied to inputs alone accumulate their parameter gradients and send none
        back.
        """
        gradients: dict[str, Any] = {}
        self._add(gradients, self.outputs, _parts("gradients of outputs", grad_output, self.outputs))
        for node, (_, *sources) in reversed(self.nodes.items()):
            with self._layer_at(node) as layer:
                if to_inputs or not set(sources) <= set(self.inputs):
                    parts = _parts(f"gradients from {node}", layer.backward(gradients.pop(node)), sources)
                    self._add(gradients, sources, parts)
                else:
                    layer.accumulate(gradients.pop(node))
        return gradients

    def _add(self, gradients: dict[str, Any], names: Sequence[str], parts: Sequence[Any]) -> None:
        """Add the gradients `parts` to those of `names`: what is used at several places gets the sum."""
        for name, part in zip(names, parts, strict=True):
            gradients[name] = _added(gradients[name], part) if name in gradients else part

    @contextlib.contextmanager
    def _layer_at(self, node: str) -> Iterator[Module]:
        """The layer of a node, holding what it remembers of this node; what it then remembers is kept for the node."""
        layer = self[node]
        if node not in self._memories:
            yield layer
            return
        modules = [module for _, module in layer.named_modules()]
        for module, memory in zip(modules, self._memories[node], strict=True):
            for name in _private(module):
                delattr(module, name)
            vars(module).update(memory)
        yield layer
        self._memories[node] = [_private(module) for module in modules]


class Sum(Module):
    """The sum of two or more arrays of one shape and floating dtype, given as a tuple: a residual connection.

    `backward` returns the gradient once for each array. Raises ValueError for any other input. He et al. 2016.
    """

    def forward(self, input: Any) -> Array:
        arrays = _several(self, input)
        if len({array.shape for array in arrays}) > 1:
            raise ValueError(f"{self!r} takes arrays of one shape, got {_shapes(arrays)}")
        return self.remember(functools.reduce(operator.add, arrays), len(arrays))

    def backward(self, grad_output: Array) -> Any:
        (count,) = self.recall(grad_output)
        return (grad_output,) * count


class Concatenate(Module):
    """Two or more arrays, given as a tuple, one after another along `axis`, by default that of features or channels.

    The arrays have one floating dtype, and their other axes are equally long; `backward` returns a gradient for each.
    Raises ValueError for any other input. Huang et al. 2017, dense connections.
    """

    def __init__(self, axis: int = 1) -> None:
        self.axis = axis

    def forward(self, input: Any) -> Array:
        arrays = _several(self, input)
        ranks = {array.ndim for array in arrays}
        others = {tuple(np.delete(array.shape, self.axis)) for array in arrays if -array.ndim <= self.axis < array.ndim}
        if len(ranks) > 1 or len(others) != 1:
            raise ValueError(f"{self!r} takes arrays whose other axes are equally long, got {_shapes(arrays)}")
        sizes = [array.shape[self.axis] for array in arrays]
        return self.remember(np.concatenate(arrays, self.axis), np.cumsum(sizes[:-1]))

    def backward(self, grad_output: Array) -> Any:
        (borders,) = self.recall(grad_output)
        return tuple(np.split(grad_output, borders, self.axis))


def refuse_repeated(network: Module) -> None:
    """Raise ValueError where a module is part of `network` twice, which could not tell its two places apart."""
    names: dict[Module, str] = {}
    for name, module in network.named_modules():
        if module in names:
            raise ValueError(
                f"{type(network).__name__}: {names[module]} and {name} are the same {type(module).__name__}; "
                f"a Graph uses a layer at several places, by the name of the first"
            )
        names[module] = name


def _several(module: Module, input: Any) -> list[Array]:
    """The arrays of a tuple; raises ValueError unless there are at least two, all of one floating dtype."""
    if not isinstance(input, tuple) or len(input) < 2:
        raise ValueError(f"{module!r} takes a tuple of at least two arrays, got {type(input).__name__}")
    arrays = [module.floating(array) for array in input]
    if len({array.dtype for array in arrays}) > 1:
        raise ValueError(f"{module!r} takes arrays of one dtype, got {', '.join(a.dtype.name for a in arrays)}")
    return arrays


def _shapes(arrays: Sequence[Array]) -> str:
    return " and ".join(str(array.shape) for array in arrays)


def _private(module: Module) -> dict[str, Any]:
    """The attributes that a module keeps to itself between calls, by name: the private ones, without parameters."""
    return {
        name: value
        for name, value in vars(module).items()
        if name.startswith("_") and name not in module.buffers and not isinstance(value, Module | Parameter)
    }


def packed(values: list[Any]) -> Any:
    """The one value of a list of length 1, else all values as a tuple."""
    return values[0] if len(values) == 1 else tuple(values)


def _parts(what: str, value: Any, names: Collection[str]) -> Sequence[Any]:
    """The values as a sequence with one for each name; raises ValueError where there are more or fewer."""
    if len(names) == 1:
        return (value,)
    if not isinstance(value, tuple) or len(value) != len(names):
        got = f"a tuple of {len(value)}" if isinstance(value, tuple) else type(value).__name__
        raise ValueError(f"Graph takes a tuple of {len(names)} {what} ({', '.join(names)}), got {got}")
    return value


def _added(first: Any, second: Any) -> Any:
    """The sum of two arrays, or of two tuples array by array."""
    return tuple(map(_added, first, second)) if isinstance(first, tuple) else first + second
