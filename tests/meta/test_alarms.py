"""Cases in which a right implementation was once called wrong; CONTRIBUTING has the table of causes."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
import pytest

from numpynet import (
    GELU,
    SELU,
    Adagrad,
    Adam,
    AdamW,
    Array,
    BatchNormalization,
    ClipByGlobalNorm,
    Concatenate,
    Conv2d,
    Flatten,
    Graph,
    GroupNormalization,
    LayerNormalization,
    Linear,
    Maxout,
    MaxPool2d,
    Module,
    PReLU,
    ReLU,
    RMSprop,
    Scaling,
    Sequential,
    SiLU,
    Softplus,
)
from parity.case import Case, Step
from parity.frameworks import available
from parity.frameworks.numpynet.framework import NumPySubject
from parity.ladder.judge import judge
from parity.ladder.trace import GRADIENT, OUTPUT, run
from parity.rounding.allowance import Perturb, deviations
from parity.rounding.errors import BehindForward, making
from parity.rounding.noisy import as_noisy


@pytest.fixture(autouse=True)
def nobody_goes_their_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is acquitted layer by layer would hide that the allowance of the whole has lost what it was taught here."""
    monkeypatch.setattr("parity.ladder.judge._goes_its_own_way", lambda *_: False)


def agree(module: Module, input: Array) -> bool:
    output = Case(module, [], training=True).fresh()(input)
    return judge(Case(module, [Step(input, np.ones_like(output))])).passed


@pytest.mark.parametrize("value", [-5.9, -6.5, -9.0])
def test_selu_of_what_is_nearly_zero(value: float) -> None:
    """TensorFlow's gradient of SELU goes by the output, which exp(x) - 1 makes 0 for inputs of -1e-9 too."""
    network = Sequential(GELU(), SELU(), Linear(8, 1, rng=np.random.default_rng(0)))
    assert agree(network, np.full((2, 8), value, np.float32))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_selu_on_both_sides_of_its_kink(dtype: str) -> None:
    unit = np.finfo(dtype).eps
    assert agree(SELU(), np.array([[-unit / 8, -unit / 2, -0.0, 0.0, unit / 8, unit]], dtype))


@pytest.mark.parametrize("layer", [Maxout(2), GroupNormalization(2)], ids=repr)
def test_features_that_flatten_made_of_open_sides(layer: Module) -> None:
    """Keras builds a functional model before it knows any size."""
    graph = Graph({"x": (1, None, None)}, {"flat": (Flatten(), "x"), "out": (layer, "flat")}, ["out"])
    assert agree(graph, np.random.default_rng(0).standard_normal((3, 1, 2, 4)).astype(np.float32))


def test_a_batch_whose_values_are_nearly_all_equal() -> None:
    """Of padding, whatever became of its zeros; TensorFlow and torch add them one after another."""
    input = np.full((8, 1, 16, 16), 0.7)
    input[:, :, :4] = np.random.default_rng(0).uniform(-30, 30, (8, 1, 4, 16))
    assert agree(BatchNormalization(1, dtype="float64"), input)


def test_a_maximum_among_zeros_that_underflow_left() -> None:
    """In float32 the first of these is a subnormal number and the second 0, as the third is."""
    window = SiLU()(np.array([-92.0, -117.0, -12103.0]))
    assert np.array_equal(window.astype(np.float32) == 0, [False, True, True])
    input = np.tile(np.array([-92, -117, -12103], np.float32), (256, 1, 1, 1))
    assert agree(Sequential(SiLU(), MaxPool2d((1, 3))), input)


def test_a_maximum_among_six_elements_that_differ_by_less_than_a_rounding() -> None:
    """Which of them are equal is for rounding to say; the first of these is selected."""
    squeeze = Scaling(1)
    squeeze.load_state_dict({"gamma": np.array([-6.7e-4]), "beta": np.array([8.625])})
    input = np.random.default_rng(0).uniform(6.2381, 6.2400, (64, 1, 3, 2)).astype(np.float32)
    assert agree(Sequential(squeeze, MaxPool2d((3, 2))), input)


def test_training_that_rounding_alone_makes_run_away_is_judged_up_to_there() -> None:
    """1 - tanh(x) is 0 for large x, or a rounding, which GELU's gradient multiplies by x**3: three steps on, every
    perturbed run is NaN, and what is left of them allows nothing."""
    network = Sequential(Linear(1, 1, bias=False), GELU("tanh"))
    network.load_state_dict({"0.weight": np.ones((1, 1))})
    steps = [Step(np.full((1, 1), 4096.3, np.float32), np.ones((1, 1), np.float32), lr=0.013) for _ in range(5)]
    judgement = judge(Case(network, steps, arguments={}))
    assert judgement.passed
    assert {key.step for key in judgement.reference} == {0}


def test_a_network_that_leaves_the_range_at_once_is_judged_up_to_there() -> None:
    """The square of 1e20 is infinite in float32, and GELU's gradient NaN; a logarithm of 0 is infinite for good."""
    network = Sequential(Scaling(1), Scaling(1), Scaling(1), Scaling(1), GELU("tanh"))
    network.load_state_dict({name: np.array([1e5 * ("gamma" in name)]) for name in network.state_dict()})
    judgement = judge(Case(network, [Step(np.ones((2, 1), np.float32), np.ones((2, 1), np.float32))]))
    assert judgement.passed
    assert [(key.rung, key.layer) for key in judgement.reference] == [(OUTPUT, str(n)) for n in range(3)]


def test_training_in_which_rounding_moves_a_parameter_by_more_than_itself_is_judged_up_to_there() -> None:
    """The first gradient of a scaling before a normalisation of one value is all rounding."""
    network = Sequential(Scaling(1), BatchNormalization(1, eps=1e-7), Scaling(1))
    state = {"0.gamma": 1e-3, "0.beta": 10, "1.running_mean": 0, "1.running_var": 1, "2.gamma": 1e4, "2.beta": 0}
    network.load_state_dict({name: np.array([value]) for name, value in state.items()})
    input = np.linspace(-1e-3, 1e-3, 4, dtype=np.float32)[:, None]
    steps = [Step(input, np.array([[1], [-3], [2], [5]], np.float32), lr=1.0) for _ in range(3)]
    judgement = judge(Case(network, steps, arguments={}))
    assert judgement.passed
    assert {key.step for key in judgement.reference} == {0}


@pytest.mark.parametrize(
    ("optimizer", "arguments"),
    [
        (Adam, {"eps": 2.0**-18}),
        (AdamW, {"eps": 2.0**-18, "eps_hat": True}),
        (RMSprop, {"eps": 2.0**-18}),
        (RMSprop, {"eps": 2.0**-18, "momentum": 0.5, "centered": True}),
        (Adagrad, {"eps": 2.0**-18}),
    ],
)
def test_a_gradient_that_underflows_times_the_rate_before_a_small_root_divides_it(
    optimizer: type, arguments: dict[str, Any]
) -> None:
    """Of a weight of 0 the update is all there is: torch rounds it to a subnormal, and TensorFlow to 0."""
    network = Linear(1, 4, bias=False)
    network.load_state_dict({"weight": np.zeros((4, 1), np.float32)})
    cotangent = np.array([[3e-36, 5e-36, 7e-36, 9e-36]], np.float32)
    step = Step(np.full((1, 1), 1, np.float32), cotangent, lr=2.0**-12)
    assert judge(Case(network, [step], arguments=arguments, optimizer=optimizer)).passed


def test_the_update_by_a_gradient_that_is_all_rounding_is_not_judged() -> None:
    """A normalisation takes away the shift before it, whose gradient is 0 then, and one value of its own mean leaves
    exactly 0. Clipping divides by the norm of the gradient: of rounding, and most of it where there is none."""
    rng = np.random.default_rng(0)
    layers = [LayerNormalization(), Linear(1, 5, rng=rng), BatchNormalization(5)]
    network = Sequential(*layers, Linear(5, 6, rng=rng), Softplus(), BatchNormalization(6))
    layers[1].load_state_dict({"weight": np.ones((5, 1)), "bias": rng.normal(0, 20, 5)})
    input, cotangent = rng.normal(size=(6, 1)).astype(np.float32), rng.normal(0, 1000, (6, 6)).astype(np.float32)
    judgement = judge(Case(network, [Step(input, cotangent, lr=0.1)], arguments={"clip": ClipByGlobalNorm(0.25)}))
    assert judgement.passed
    assert {key.rung for key in judgement.reference} == {OUTPUT, GRADIENT}


def test_a_sum_of_many_equal_terms() -> None:
    """The gradient of a shift, of what came back from a padding: TensorFlow adds one after another."""
    gradient = np.full((8, 2, 10, 10), 0.3, np.float32)
    assert judge(Case(Scaling(2), [Step(np.full_like(gradient, 0.5), gradient)])).passed


@pytest.mark.parametrize("count", [20, 31, 63, 105, 200])
def test_equal_terms_that_are_added_to_a_large_one(count: int) -> None:
    """Each of them is rounded in the same direction: n / 2 roundings of the sum, by whoever adds one after another."""

    def perturbed(terms: Array, perturb: Perturb) -> dict[str, Array]:
        return {"sum": perturb(terms).sum()}

    largest = 0.0
    for number in range(50):
        terms = np.full(count, 0.5 + number / 100, np.float32)
        terms[0] = 6000
        one_after_another = functools.reduce(np.add, terms)
        wide = terms.astype(np.float64)
        allowed = deviations({"sum": wide.sum()}, functools.partial(perturbed, wide), terms.dtype)
        largest = max(largest, abs(one_after_another - wide.sum()) / allowed["sum"])
    assert 0.05 < largest < 0.5


@pytest.mark.parametrize(
    ("module", "shape"), [(Linear(35, 22, dtype="float64"), (5, 35)), (Conv2d(3, 2, 3, dtype="float64"), (2, 3, 5, 4))]
)
def test_terms_that_are_added_to_a_large_bias_one_after_another(module: Module, shape: tuple[int, ...]) -> None:
    """torch begins the sum with it: of terms of a third of a unit in its last place it loses every one."""
    of = {"weight": 1.0, "bias": 3 / np.finfo(np.float64).eps}
    module.load_state_dict({name: np.full_like(values, of[name]) for name, values in module.state_dict().items()})
    assert agree(module, np.ones(shape))


def test_gradients_of_what_is_used_thrice_cancel_in_another_order() -> None:
    """0.1 + (1e6 - 1e6) is 0.1, and (0.1 + 1e6) - 1e6 a rounding of 1e6 off."""
    nodes = {"n0": (ReLU(), "x"), "n1": ("n0", "n0"), "n2": ("n0", "n0"), "n3": (Concatenate(), "n2", "n0")}
    graph = Graph({"x": (1,)}, nodes, ["n1", "n3"])
    orders = list(itertools.permutations([1e6, -1e6, 0.1]))
    first, *rest = np.array(orders, np.float32).T
    step = Step(np.ones((len(orders), 1), np.float32), (first[:, None], np.stack(rest, 1)))
    assert judge(Case(graph, [step])).passed


@pytest.mark.parametrize("seed", [0, 28])
def test_rows_that_are_equal_in_the_format_alone_before_two_prelus(seed: int) -> None:
    """Such rows are normalised to exactly 0, of which two PReLUs take slopes that they take of nothing else. Runs with
    random errors, which leave no two rows equal, do not show how far rounding goes from there."""
    network = Sequential(Linear(2, 2), BatchNormalization(2, eps=2**-9), PReLU(2), PReLU(2))
    weights = {
        "0.weight": [[1.0020255, 5.2602363], [2.8965223, 1.4172152]],
        "0.bias": [18, 12],
        "2.slope": [-2, 10],
        "3.slope": [65.694656, 72.256386],
    }
    arrays = {name: np.array(values, np.float32) for name, values in weights.items()}
    network.load_state_dict(network.state_dict() | arrays)
    input = np.array([[2, 3], [2, 3 + 2**-20], [2 - 2**-20, 3]], np.float32) / 1024
    cotangent = np.random.default_rng(seed).standard_normal((3, 2)).astype(np.float32) / 10
    assert judge(Case(network, [Step(input, cotangent)])).passed


@pytest.mark.parametrize("seed", [9, 55, 76, 77])
def test_a_gradient_that_cancels_behind_a_branch_which_every_random_error_leaves(seed: int) -> None:
    """A group of one element is normalised to exactly 0, and a batch of zeros once more, its gradient divided by the
    root of eps. With random errors it is a batch of noise, whose gradient is divided by its deviation: none of these
    runs shows how large the numbers are whose difference torch makes of that gradient."""
    rng = np.random.default_rng(seed)
    network = Sequential(
        GroupNormalization(2, eps=2**-11),
        SELU(),
        BatchNormalization(2, eps=2**-17),
        BatchNormalization(2, eps=2**-16),
        Linear(2, 1),
    )
    network.load_state_dict(network.state_dict() | {"4.weight": np.array([[1.5826604, -1.2818624]], np.float32)})
    input = (rng.standard_normal((6, 2)) * 100).astype(np.float32)
    assert judge(Case(network, [Step(input, (rng.standard_normal((6, 1)) / 256).astype(np.float32))])).passed


def test_errors_behind_the_forward_pass_leave_it_rounded_to_the_nearest() -> None:
    rng = np.random.default_rng(1)
    step = Step(rng.standard_normal((4, 3)).astype(np.float32), np.ones((4, 2), np.float32) / 3)
    case = Case(Linear(3, 2, rng=rng), [step]).astype(np.dtype(np.float64))
    expected = run(case, NumPySubject(case))
    with making(BehindForward(np.dtype(np.float32), b"seed")):
        found = run(case, NumPySubject(case, as_noisy))
    units = {key: np.max(np.abs(found[key] - values) / np.abs(values)) * 2.0**24 for key, values in expected.items()}
    assert {key.rung for key, share in units.items() if share < 4} == {OUTPUT}
    assert {key.rung for key, share in units.items() if share > 4} == {GRADIENT}


@pytest.mark.skipif("torch" not in available(), reason="it is torch's formula that makes them equal")
@pytest.mark.parametrize("many", [0, 150])
def test_a_selection_that_takes_several_rare_errors_at_once(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's GELU of -10 and of -14 is the same zero, of which the first is selected; numpynet selects the larger one.
    Under random errors one in eight times no element of the window is positive, and the last is rarely the largest
    then: none of 72 runs shows it, and without a thorough look torch is accused."""
    monkeypatch.setattr("parity.rounding.allowance.MANY", many)
    network = Sequential(GELU(), MaxPool2d(2), PReLU(1, dtype="float64"))
    network.load_state_dict({"2.slope": np.array([-80.0])})
    tails = np.array([-10.0, -10.5, -10.25, -14]).reshape(1, 1, 2, 2)
    judgement = judge(Case(network, [Step(tails, np.full((1, 1, 1, 1), 0.75))]), frameworks=["torch"])
    assert judgement.passed == (many > 0)


@pytest.mark.parametrize("seed", [8, 13, 21])
def test_a_normalised_batch_that_is_normalised_once_more_by_the_same_layer(seed: int) -> None:
    """torch's batch normalisation is folded forward and not backward: what its output is off by, its gradient is not,
    where an error of the mean is the same in numpynet's two, and cancels in the gradient of a shared gamma."""
    rng = np.random.default_rng(seed)
    block = Sequential(BatchNormalization(3, eps=2**-11), Scaling(3))
    network = Graph({"x": (3,)}, {"once": (block, "x"), "twice": ("once", "once")}, ["twice"])
    shifted = {"once.1.beta": np.full(3, 30 + seed, np.float32), "once.1.gamma": np.full(3, 0.3, np.float32)}
    network.load_state_dict(network.state_dict() | shifted)
    input = rng.standard_normal((8, 3)).astype(np.float32)
    cotangent = (rng.standard_normal((8, 3)) + 2).astype(np.float32) * 100
    assert judge(Case(network, [Step(input, cotangent)])).passed


@pytest.mark.skipif("torch" not in available(), reason="it is torch's output that underflows")
def test_a_jump_where_one_result_underflows_times_one_that_would() -> None:
    """torch's softplus of -744.17 is 0, so that PReLU's gradient is its slope, and softplus' derivative, as small, is
    not: random errors that lose the first nearly always lose the second as well."""
    network = Sequential(Linear(6, 4, dtype="float64"), Softplus(), PReLU(4, dtype="float64"))
    weight = [[-6, 6, -20, 10, 8, 0], [0, -4, 8, 6, 4, 0], [-2, 0, -24, 0, -4, 8], [12, -12, 2, -6, 0, 2]]
    slope = np.array([-38.0, -46, -22, -31])
    network.load_state_dict({"0.weight": np.array(weight, float), "0.bias": np.array([4.0, 0, 0, 4]), "2.slope": slope})
    rows = [
        [-49.28, -57.31, -69.97, -74.57, -73.92, -66.07],
        [-61.39, -57.05, -67.83, -71.74, -66.18, -58.32],
        [-55.74, -65.13, -71.78, -79.5, -66.45, -63.69],
        [-65.31, -49.43, -48.38, -48.0, -66.72, -60.61],  # the second feature of which is -744.17
    ]
    cotangent = [[-0.19, 0.37, 0.18, 0.06], [4.97, 4.23, 4.34, 4.17], [-0.72, -1.12, -1.1, -1.32]]
    step = Step(np.array(rows), np.array([*cotangent, [-0.66, -1.48, -1.18, -1.68]]))
    assert judge(Case(network, [step], training=False), frameworks=["torch"]).passed
