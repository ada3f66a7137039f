"""What calls and constructors take together: shapes, dtypes, classes and names, on both sides of every rule.

No two sizes are equal, and some are larger than the small integers that Python keeps, so that a rule that looks at the
wrong axis, or whether two numbers are one object, takes or refuses something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import numpynet as nn
from numpynet.initializers import fans
from numpynet.module import Array
from parity.catalogue.promises.promise import Promise, Try, kept

TOPIC = "inputs"
MANY = 300  # features


@dataclass(frozen=True)
class Rule:
    """The inputs that the class or function called `of` takes and refuses, in the words of its docstring.

    use: what is done with each of them
    names: what the error names, if it is not `of`
    """

    of: str
    said: str
    use: Callable[[Any], Any]
    takes: Sequence[Any]
    refuses: Sequence[Any]
    names: str = ""

    def tries(self) -> Iterator[Try]:
        for refused, inputs in ((False, self.takes), (True, self.refuses)):
            for input in inputs:
                yield Try(f"{self.of} of {told(input)}", partial(self.use, input), refused, self.names or self.of)


def told(input: Any) -> str:
    """The shapes and dtypes of arrays; anything else as Python writes it."""
    if isinstance(input, np.ndarray):
        return f"{input.dtype} of shape {input.shape}"
    if isinstance(input, tuple | list):
        return f"{type(input).__name__} of {', '.join(map(told, input)) or 'nothing'}"
    return repr(input)


def _of(*shape: int, dtype: str = "float32") -> Array:
    """Numbers that are not all alike."""
    return np.linspace(-1, 1, int(np.prod(shape))).reshape(shape).astype(dtype)


def _double(*shape: int) -> Array:
    return _of(*shape, dtype="float64")


def _whole(*shape: int) -> Array:
    return _of(*shape, dtype="int64")


def _layer(made: Callable[[], nn.Module], said: str, takes: Sequence[Any], refuses: Sequence[Any]) -> Rule:
    """The rule of a layer that `made` makes: it is applied, in training."""
    return Rule(type(made()).__name__, said, lambda input: made()(input), takes, refuses)


FEATURES = "(N, num_features, ...)"
PIXELS = "images without pixels"
NO_IMAGES = [_of(2, 3, 0, 4), _of(2, 3, 4, 0), _of(2, 3, 4), _of(2, 3, 4, 5, 6), _whole(2, 3, 4, 5)]
ELEMENTWISE: list[type[nn.Module]] = [nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.HardSigmoid]
ELEMENTWISE += [nn.HardSwish, nn.Softplus, nn.Sigmoid, nn.Tanh, nn.SoftMax, nn.LogSoftMax]

LAYERS = [
    _layer(
        lambda: nn.Linear(MANY, 3),
        "(N, ..., in_features)",
        [_of(2, MANY), _of(2, 5, MANY), _of(2, 5, 4, MANY), _of(0, MANY)],
        [_of(MANY), _of(2, MANY + 1), _of(2, MANY - 1), _of(MANY, 2), _of(2, MANY, 5), _double(2, MANY)],
    ),
    _layer(
        lambda: nn.Conv2d(MANY, 2, 3),
        "(N, in_channels, H, W) in the weight's dtype",
        [_of(1, MANY, 3, 3), _of(2, MANY, 4, 5), _of(0, MANY, 3, 3)],
        [_of(MANY, 3, 3), _of(1, MANY + 1, 3, 3), _of(1, MANY - 1, 3, 3), _of(1, 3, 3, MANY), _double(1, MANY, 3, 3)],
    ),
    _layer(  # (k - 1) d + 1 is 5 and 4, of which the padding brings 2 and 0
        lambda: nn.Conv2d(1, 1, (3, 2), padding=(1, 0), dilation=(2, 3)),
        "where no window fits in",
        [_of(1, 1, 3, 4)],
        [_of(1, 1, 2, 4), _of(1, 1, 3, 3), _of(1, 1, 0, 4)],
    ),
    _layer(
        lambda: nn.BatchNormalization(MANY),
        "(N, num_features) or (N, num_features, ...)",
        [_of(2, MANY), _of(2, MANY, 5), _of(1, MANY, 2)],
        [_of(MANY, 2), _of(2, MANY + 1), _of(2, 5, MANY), _of(MANY), _double(2, MANY)],
    ),
    _layer(
        lambda: nn.BatchNormalization(3),
        "a training batch with a single value per feature",
        [_of(2, 3), _of(1, 3, 2)],
        [_of(1, 3), _of(1, 3, 1), _of(0, 3)],
    ),
    _layer(lambda: nn.BatchNormalization(1), "num_features", [_of(4, 1), _of(2, 1, 3)], [_of(4, 3), _of(2, 3, 1)]),
    _layer(
        lambda: nn.LayerNormalization(2),
        "more than `axes` axes",
        [_of(4, 2, 3), _of(4, 5, 2, 3), _of(0, 2, 3)],
        [_of(2, 3), _of(3), _of(4, 0, 3), _of(4, 2, 0), _whole(4, 2, 3)],
    ),
    _layer(
        lambda: nn.GroupNormalization(3),
        "where groups do not divide the features",
        [_of(2, 6), _of(2, 3, 5), _of(1, 9, 2, 4)],
        [_of(6), _of(3, 2), _of(2, 5, 3), _of(2, 4, 6), _of(2, 3, 0)],
    ),
    _layer(
        lambda: nn.Scaling(MANY),
        FEATURES,
        [_of(2, MANY), _of(2, MANY, 3)],
        [_of(MANY, 2), _of(2, 3, MANY), _of(MANY), _of(2, MANY - 1), _double(2, MANY)],
    ),
    _layer(lambda: nn.Scaling(1), "for any number of features", [_of(2, 1), _of(2, 7, 3)], [_of(2), _double(2, 7)]),
    _layer(lambda: nn.Scaling(MANY, axis=-1), "on another `axis`", [_of(2, MANY), _of(2, 3, MANY)], [_of(2, MANY, 3)]),
    _layer(
        lambda: nn.PReLU(MANY),
        FEATURES,
        [_of(2, MANY), _of(2, MANY, 3)],
        [_of(MANY, 2), _of(2, 3, MANY), _of(MANY), _of(2, MANY + 1), _double(2, MANY)],
    ),
    _layer(lambda: nn.PReLU(), "for any number of features", [_of(2, 1), _of(2, 7, 3)], [_of(2), _double(2, 7)]),
    _layer(
        lambda: nn.Maxout(3),
        "`pieces` divides its features",
        [_of(2, 6), _of(2, 3, 5)],
        [_of(6), _of(3, 2), _of(2, 7), _of(2, 5, 3), _whole(2, 6)],
    ),
    _layer(lambda: nn.Flatten(), "at least two axes", [_of(2, 3), _of(2, 3, 4, 5), _of(0, 3)], [_of(2), _whole(2, 3)]),
    *(
        _layer(
            partial(pool, (3, 2), padding=(1, 0)),
            "where no window fits in",
            [_of(1, 2, 1, 2), _of(1, 2, 6, 7)],
            [_of(1, 2, 1, 1), _of(1, 2, 0, 2), *NO_IMAGES],
        )
        for pool in (nn.MaxPool2d, nn.AvgPool2d)
    ),
    _layer(lambda: nn.GlobalAveragePool2d(), PIXELS, [_of(2, 3, 1, 1), _of(0, 3, 4, 5)], NO_IMAGES),
    _layer(lambda: nn.ZeroPad2d((1, 2, 3, 4)), PIXELS, [_of(2, 3, 1, 1), _of(0, 3, 4, 5)], NO_IMAGES),
    _layer(
        lambda: nn.Sum(),
        "two or more arrays of one shape and floating dtype",
        [(_of(2, 3), _of(2, 3)), (_of(2, 3), _of(2, 3), _of(2, 3))],
        [
            *((), (_of(2, 3),), _of(2, 3), [_of(2, 3), _of(2, 3)], (_of(2, 3), _of(3, 2)), (_of(2, 3), _of(1, 3))),
            *((_of(2, 3), _double(2, 3)), (_whole(2, 3), _whole(2, 3))),
        ],
    ),
    _layer(
        lambda: nn.Concatenate(),
        "their other axes are equally long",
        [(_of(2, 3), _of(2, 5)), (_of(2, 3, 4), _of(2, 1, 4), _of(2, 6, 4))],
        [
            *((), (_of(2, 3),), _of(2, 3), (_of(2, 3), _of(4, 3)), (_of(2, 3, 4), _of(2, 3, 5))),
            *((_of(2, 3), _of(2, 3, 1)), (_of(2), _of(2)), (_of(2, 3), _double(2, 3))),
        ],
    ),
    *(_layer(of, "floating", [_of(2, 3), _of(3), _of(2, 3, 4, 5, 1)], [_whole(2, 3)]) for of in ELEMENTWISE),
    _layer(lambda: nn.Dropout(), "floating", [_of(2, 3), _of(3)], [_whole(2, 3), _of(2, 3, dtype="bool")]),
]


def _criterion(made: Callable[[], Any], said: str, takes: Sequence[Any], refuses: Sequence[Any]) -> Rule:
    """The rule of a criterion that `made` makes, for pairs of input and target."""
    return Rule(type(made()).__name__, said, lambda pair: made()(*pair), takes, refuses)


BESIDE_ONE = np.nextafter(np.float32(1), np.float32(2))
BELOW_ZERO = np.nextafter(np.float32(0), np.float32(-1))
ROWS = _of(2, 3) / 2 + np.float32(0.75)  # which may be probabilities as well
EMPTY = [(_of(0, 3), _of(0, 3)), (_of(2, 0), _of(2, 0)), (np.float32(1), np.float32(1))]
CLASSES = "for a class outside 0..C-1"


def _classes(of: Any) -> list[Rule]:
    """The rules of a criterion of classes: C is 3, and there are two rows."""
    return [
        _criterion(
            of,
            CLASSES,
            [(ROWS, np.array([0, 2])), (ROWS, np.array([0, 2], np.int32)), (ROWS, np.eye(3, dtype=np.float32)[:2])],
            [(ROWS, np.array(labels)) for labels in ([0, 3], [-1, 0], [0, 1, 2], [0], [[0], [1]], [0.0, 1.0])],
        ),
        _criterion(
            of,
            "other shapes or dtypes",
            [],
            [
                *((_of(2, 3, 4), np.array([0, 1])), (_of(3), np.array([0, 1, 2])), (_whole(2, 3), np.array([0, 1]))),
                *((_of(0, 3), np.array([], int)), (ROWS, np.eye(4, dtype=np.float32)[:2])),
            ],
        ),
        _criterion(
            lambda: of(class_weights=[0.0, 1.0, 2.0]),
            "unless there are C class weights",
            [(ROWS, np.array([0, 2])), (_of(4, 3) / 2 + np.float32(0.75), np.array([0, 2, 1, 1]))],
            [(_of(3, 2) / 2 + np.float32(0.75), np.array([0, 1, 1])), (_of(3, 4) / 2 + 1, np.array([0, 1, 3]))],
        ),
        Rule(
            of.__name__,
            "for a negative class weight",
            lambda weight: of(class_weights=[1.0, weight]),
            [0.0, 1.0],
            [-np.finfo(np.float64).tiny, -1.0, float("nan")],
        ),
    ]


CRITERIA = [
    *(
        _criterion(
            of,
            "one shape, which is any, and one floating dtype",
            [(_of(2, 3), _of(2, 3)), (_of(3), _of(3)), (_of(2, 3, 4, 5), _of(2, 3, 4, 5)), (_double(2), _double(2))],
            [*EMPTY, (_of(2, 3), _of(3, 2)), (_of(2, 3), _of(1, 3)), (_of(2), _double(2)), (_whole(2), _whole(2))],
        )
        for of in (nn.MSECriterion, nn.L1Criterion, nn.HuberCriterion)
    ),
    *(
        _criterion(
            of,
            "values in [0, 1]",
            [(ROWS, np.full((2, 3), target, np.float32)) for target in (0, 1, 0.5)] + [(ROWS, np.ones((2, 3), int))],
            [
                *((ROWS, np.full((2, 3), target, np.float32)) for target in (BELOW_ZERO, BESIDE_ONE)),
                *(*EMPTY, (ROWS, np.ones(3, np.float32)), (ROWS, np.ones((3, 2), np.float32)), (_whole(2), _of(2))),
            ],
        )
        for of in (nn.BinaryCrossEntropyCriterion, nn.BinaryCrossEntropyCriterionUnstable)
    ),
    *(rule for of in (nn.NLLCriterion, nn.NLLCriterionUnstable, nn.CrossEntropyCriterion) for rule in _classes(of)),
    *(
        Rule(
            of.__name__,
            "for another reduction",
            of,
            ["mean", "sum", "batchmean"],
            ["none", "Mean", "", None],
        )
        for of in (nn.MSECriterion, nn.BinaryCrossEntropyCriterion, nn.CrossEntropyCriterion, nn.HuberCriterion)
    ),
]


def _graph(nodes: dict[str, Any], outputs: Sequence[str] = ("a",), **inputs: tuple[int | None, ...]) -> nn.Graph:
    return nn.Graph(inputs or {"x": (3,)}, nodes, outputs)


def _state(change: Callable[[dict[str, Any]], object]) -> None:
    """Load a Linear's own state, changed."""
    layer = nn.Linear(3, 2)
    state = layer.state_dict()
    change(state)
    layer.load_state_dict(state)


def _momentum(change: Callable[[dict[str, Any]], object]) -> None:
    """Load the state of a rule that has made a step, changed."""
    rule = nn.SGD([nn.Parameter(_of(3, 2))], 0.5, momentum=0.5)
    rule.step()
    state = rule.state_dict()
    change(state)
    rule.load_state_dict(state)


SHARED = nn.Linear(3, 3)
TOGETHER = [
    Rule(
        "Conv2d",
        "where groups do not divide the channels",
        lambda sizes: nn.Conv2d(sizes[0], sizes[1], 1, groups=sizes[2]),
        [(4, 6, 2), (1, 1, 1), (6, 3, 3)],
        [(4, 6, 4), (4, 6, 3), (6, 4, 3), (4, 4, 0), (4, 4, -2), (0, 4, 1), (4, 0, 1)],
    ),
    Rule(
        "ZeroPad2d", "one width for all sides, or four", nn.ZeroPad2d, [0, 2, (1, 2, 3, 4)], [(1, 2), (1, 2, 3), (1,)]
    ),
    Rule("Scaling", "for the first axis, which is the batch's", lambda axis: nn.Scaling(3, axis), [1, -1, 2], [0]),
    Rule("GELU", "for any other `approximate`", nn.GELU, ["none", "tanh"], ["", "Tanh", None, "sigmoid"]),
    Rule("fan", "for fewer than two dimensions", fans, [(2, 3), (2, 3, 4)], [(), (3,)]),
    Rule(
        "Sequential",
        "where a module is given twice",
        lambda modules: nn.Sequential(*modules),
        [(), (SHARED,), (SHARED, nn.ReLU()), (nn.ReLU(), nn.ReLU())],
        [(SHARED, SHARED), (SHARED, nn.ReLU(), SHARED)],
    ),
    Rule(
        "Graph",
        "for names that are unknown, used before they are computed, or taken twice",
        _graph,
        [{"a": (nn.ReLU(), "x")}, {"b": (SHARED, "x"), "a": ("b", "b")}],
        [
            *({"a": (nn.ReLU(), "y")}, {"a": (nn.ReLU(), "b"), "b": (nn.ReLU(), "x")}, {"a": (nn.ReLU(), "a")}),
            *({"x": (nn.ReLU(), "x")}, {"not a name": (nn.ReLU(), "x")}, {"a": ("x", "x")}, {"a": (nn.ReLU(),)}, {}),
        ],
    ),
    Rule(
        "Graph",
        "for inputs and nodes that nothing uses",
        lambda outputs: _graph({"a": (nn.ReLU(), "x"), "b": (nn.Tanh(), "x")}, outputs),
        [("a", "b"), ("b", "a")],
        [("a",), ("b",), (), ("a", "b", "c")],
    ),
    Rule(
        "Graph",
        "for a layer that is given twice",
        lambda layers: _graph({"b": (layers[0], "x"), "a": (layers[1], "b")}),
        [(nn.ReLU(), nn.ReLU()), (SHARED, nn.ReLU())],
        [(SHARED, SHARED)],
    ),
    Rule(
        "Graph",
        "for an input of another shape",
        _graph({"a": (nn.ReLU(), "x")}, x=(3, None)),
        [_of(2, 3, 4), _of(5, 3, 1), _of(1, 3, 9)],
        [_of(2, 3), _of(2, 4, 4), _of(3, 4), _of(2, 3, 4, 1), (_of(2, 3, 4), _of(2, 3, 4))],
    ),
    Rule(
        "state",
        "missing or unknown",
        _state,
        [lambda state: None],
        [lambda state: state.pop("bias"), lambda state: state.update(beta=_of(2)), dict.clear],
    ),
    Rule(
        "weight",
        "a shape of its own",
        _state,
        [lambda state: state.update(weight=_of(2, 3))],
        [lambda state: state.update(weight=_of(3, 2)), lambda state: state.update(weight=_of(2, 3, 1))],
    ),
    Rule(
        "state",
        "the steps and the arrays of each parameter",
        _momentum,
        [lambda state: None],
        [lambda state: state.pop("steps"), lambda state: state.update(other=_of(3, 2)), dict.clear],
    ),
]
RULES = LAYERS + CRITERIA + TOGETHER


def promises(_: list[str]) -> Iterator[Promise]:
    """Yields a promise for each rule."""
    for rule in RULES:
        yield kept(TOPIC, f"{rule.of}: {rule.said}", rule.said, rule.tries())
