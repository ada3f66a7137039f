"""The contract of every module: how it reads, its state, its dtypes and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from drawn import batch, every_dtype, rng

import numpynet
from numpynet import (
    ELU,
    GELU,
    SELU,
    SGD,
    Array,
    BatchNormalization,
    Conv2d,
    Criterion,
    CrossEntropyCriterion,
    Dropout,
    Flatten,
    GroupNormalization,
    HardSigmoid,
    HardSwish,
    LayerNormalization,
    LeakyReLU,
    Linear,
    LogSoftMax,
    Maxout,
    Module,
    MSECriterion,
    NLLCriterion,
    NLLCriterionUnstable,
    PReLU,
    ReLU,
    Scaling,
    Sequential,
    Sigmoid,
    SiLU,
    SoftMax,
    Softplus,
    Tanh,
)


def network(dtype: str = "float32") -> Sequential:
    return Sequential(
        Linear(4, 5, rng=rng(), dtype=dtype),
        BatchNormalization(5, dtype=dtype),
        Scaling(5, dtype=dtype),
        ReLU(),
        Sequential(Dropout(0.25, rng=rng()), Linear(5, 3, bias=False, rng=rng(), dtype=dtype)),
        LogSoftMax(),
    )


EVERY_LAYER: list[Callable[[str], Module]] = [
    lambda dtype: Linear(4, 3, dtype=dtype),
    lambda dtype: Linear(4, 3, bias=False, dtype=dtype),
    lambda dtype: BatchNormalization(4, dtype=dtype),
    lambda dtype: Scaling(4, dtype=dtype),
    lambda dtype: Scaling(1, dtype=dtype),
    lambda dtype: PReLU(4, dtype=dtype),
    lambda dtype: PReLU(dtype=dtype),
    lambda dtype: LayerNormalization(),
    lambda dtype: GroupNormalization(2),
    lambda dtype: Maxout(2),
    lambda dtype: GELU("tanh"),
    lambda dtype: Dropout(0.5),
    lambda dtype: Flatten(),
    *(lambda dtype, cls=cls: cls() for cls in (ReLU, LeakyReLU, ELU, Softplus, Sigmoid, Tanh, SoftMax, LogSoftMax)),
    *(lambda dtype, cls=cls: cls() for cls in (SELU, GELU, SiLU, HardSigmoid, HardSwish)),
    network,
]
every_layer = pytest.mark.parametrize("make", EVERY_LAYER, ids=lambda make: repr(make("float32"))[:30])


class TestRepr:
    @pytest.mark.parametrize(
        ("written", "module"),
        [
            ("Linear(3, 2)", Linear(3, 2)),
            ("Linear(3, 2, bias=False, dtype='float64')", Linear(3, 2, False, dtype=np.float64)),
            ("LeakyReLU()", LeakyReLU()),
            ("LeakyReLU(slope=0.2)", LeakyReLU(0.2)),
            ("BatchNormalization(5, eps=1e-05)", BatchNormalization(5, eps=1e-5)),
            ("Dropout(p=0.1)", Dropout(0.1, rng=rng())),
            ("PReLU()", PReLU()),
            ("PReLU(num_features=3, dtype='float64')", PReLU(3, dtype=np.float64)),
            ("GELU(approximate='tanh')", GELU("tanh")),
            ("LayerNormalization(axes=3)", LayerNormalization(3)),
            ("GroupNormalization(4, eps=1e-05)", GroupNormalization(4, 1e-5)),
            ("Maxout(2)", Maxout(2)),
            (
                "Sequential(Flatten(), Sequential(Scaling(2), ReLU()))",
                Sequential(Flatten(), Sequential(Scaling(2), ReLU())),
            ),
        ],
    )
    def test_it_reads_as_the_constructor_call(self, written: str, module: Module) -> None:
        assert repr(module) == written

    @every_layer
    @every_dtype
    def test_evaluating_it_builds_a_module_of_the_same_configuration(
        self, make: Callable[[str], Module], dtype: str
    ) -> None:
        module = make(dtype)
        rebuilt = eval(repr(module), vars(numpynet))
        assert repr(rebuilt) == repr(module)
        assert {n: (a.shape, a.dtype) for n, a in rebuilt.state_dict().items()} == {
            n: (a.shape, a.dtype) for n, a in module.state_dict().items()
        }

    @pytest.mark.parametrize("cls", [MSECriterion, NLLCriterion, NLLCriterionUnstable, CrossEntropyCriterion])
    def test_a_criterion_names_a_reduction_that_is_not_the_default(self, cls: type[Criterion]) -> None:
        assert repr(cls()) == f"{cls.__name__}()"
        assert repr(cls("sum")) == f"{cls.__name__}(reduction='sum')"

    def test_a_parameter_shows_its_shape_and_dtype(self) -> None:
        assert repr(Linear(3, 2).weight) == "Parameter(shape=(2, 3), dtype=float32)"

    def test_an_optimizer_shows_what_differs_from_the_defaults(self) -> None:
        assert repr(SGD([], 0.1)) == "SGD(lr=0.1)"
        assert repr(SGD([], 0.1, 0.9, nesterov=True)) == "SGD(lr=0.1, momentum=0.9, nesterov=True)"


class TestState:
    def test_names_are_dotted_paths_and_hold_running_statistics(self) -> None:
        assert set(network().state_dict()) == {
            *("0.weight", "0.bias", "1.running_mean", "1.running_var", "2.gamma", "2.beta", "4.1.weight")
        }

    def test_a_loaded_state_makes_two_networks_compute_the_same(self) -> None:
        source, target = network(), network()
        source(batch())  # moves the running statistics
        first = target[0]
        assert isinstance(first, Linear)
        first.weight.value[:] = 0
        target.load_state_dict(source.state_dict())
        np.testing.assert_array_equal(target.evaluate()(batch()), source.evaluate()(batch()))

    def test_it_holds_copies_both_ways(self) -> None:
        module = Linear(2, 2)
        state = module.state_dict()
        module.load_state_dict(state)
        state["weight"][:] = 7
        assert not np.any(module.weight.value == 7)
        assert not np.any(module.state_dict()["weight"] == 7)

    def test_loading_casts_to_the_dtype_of_the_module(self) -> None:
        module = Linear(2, 2)
        module.load_state_dict(Linear(2, 2, dtype=np.float64).state_dict())
        assert module.weight.value.dtype == np.float32

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda state: state.pop("bias"), "bias"),
            (lambda state: state.update(more=np.zeros(1)), "more"),
            (lambda state: state.update(bias=np.zeros(3)), r"bias has shape \(2,\), the state brings \(3,\)"),
        ],
    )
    def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(
        self, change: Callable[[dict[str, Array]], object], message: str
    ) -> None:
        module = Linear(2, 2)
        before, state = module.state_dict(), Linear(2, 2).state_dict()
        change(state)
        with pytest.raises(ValueError, match=message):
            module.load_state_dict(state)
        for name, values in before.items():
            np.testing.assert_array_equal(module.state_dict()[name], values)

    @every_dtype
    def test_astype_makes_an_independent_copy_that_computes_in_the_new_dtype(self, dtype: str) -> None:
        module = network()
        twin = module.astype(dtype)
        assert {values.dtype for values in twin.state_dict().values()} == {np.dtype(dtype)}
        assert twin(batch(dtype)).dtype == np.dtype(dtype)
        own, copied = module[0], twin[0]
        assert isinstance(own, Linear)
        assert isinstance(copied, Linear)
        copied.weight.value[:] = 0
        assert np.any(own.weight.value != 0)


class TestModule:
    @every_layer
    @every_dtype
    def test_output_and_gradient_keep_the_dtype(self, make: Callable[[str], Module], dtype: str) -> None:
        module = make(dtype)
        output = module(batch(dtype))
        assert output.dtype == np.dtype(dtype)
        assert module.backward(np.ones_like(output)).dtype == np.dtype(dtype)
        assert all(p.grad.dtype == np.dtype(dtype) for p in module.parameters())

    @every_layer
    def test_a_later_call_leaves_earlier_results_alone(self, make: Callable[[str], Module]) -> None:
        module = make("float64")
        output = module(batch("float64"))
        gradient = module.backward(np.ones_like(output))
        kept = output.copy(), gradient.copy()
        module.backward(np.full_like(module(batch("float64") * 3), 2))
        np.testing.assert_array_equal(output, kept[0])
        np.testing.assert_array_equal(gradient, kept[1])

    @every_layer
    def test_gradients_accumulate_until_they_are_zeroed(self, make: Callable[[str], Module]) -> None:
        module = make("float64").evaluate()
        cotangent = np.ones_like(module(batch("float64")))
        module.backward(cotangent)
        once = [p.grad.copy() for p in module.parameters()]
        module.backward(cotangent)
        for parameter, gradient in zip(module.parameters(), once, strict=True):
            np.testing.assert_array_equal(parameter.grad, 2 * gradient)
        module.zero_grad()
        assert all(np.all(p.grad == 0) for p in module.parameters())

    @every_layer
    def test_accumulate_gives_the_parameter_gradients_of_backward(self, make: Callable[[str], Module]) -> None:
        module = make("float64").evaluate()
        cotangent = rng().standard_normal(module(batch("float64")).shape)
        module.backward(cotangent)
        expected = [p.grad.copy() for p in module.parameters()]
        module.zero_grad()
        module.accumulate(cotangent)
        for parameter, gradient in zip(module.parameters(), expected, strict=True):
            np.testing.assert_array_equal(parameter.grad, gradient)

    @every_layer
    def test_a_gradient_of_another_shape_is_refused(self, make: Callable[[str], Module]) -> None:
        module = make("float32")
        output = module(batch())
        for wrong in (output[:-1], output[None], output.tolist()):
            with pytest.raises(ValueError, match=r"the gradient is an array of the output's shape \(6, \d\), got"):
                module.backward(wrong)

    @pytest.mark.parametrize(
        ("module", "wrong"),
        [
            (Linear(4, 3), np.ones((6, 5), np.float32)),
            (Linear(4, 3), np.ones(4, np.float32)),
            (Linear(4, 3), np.ones((6, 4))),
            (Scaling(4), np.ones((6, 3), np.float32)),
            (BatchNormalization(4), np.ones((6, 4))),
            (BatchNormalization(4), np.ones((1, 4), np.float32)),
            (ReLU(), np.ones((6, 4), np.int64)),
            (SoftMax(), np.ones((6, 4), bool)),
            (Flatten(), np.ones(4, np.float32)),
            (PReLU(3), np.ones((6, 4), np.float32)),
            (PReLU(), np.ones((6, 4))),
            (Maxout(3), np.ones((6, 4), np.float32)),
            (LayerNormalization(2), np.ones((6, 4), np.float32)),
            (LayerNormalization(), np.ones((6, 0), np.float32)),
            (GroupNormalization(3), np.ones((6, 4), np.float32)),
            (GELU(), np.ones((6, 4), np.int64)),
        ],
        ids=repr,
    )
    def test_a_wrong_input_is_refused_by_a_message_with_layer_shape_and_dtype(
        self, module: Module, wrong: Array
    ) -> None:
        with pytest.raises(ValueError, match=type(module).__name__) as refusal:
            module(wrong)
        assert str(wrong.shape) in str(refusal.value)

    @pytest.mark.parametrize(
        ("make", "name"),
        [
            (lambda: BatchNormalization(4, eps=-1e-3), "BatchNormalization"),
            (lambda: LayerNormalization(eps=-1e-3), "LayerNormalization"),
            (lambda: LayerNormalization(0), "LayerNormalization"),
            (lambda: GroupNormalization(0), "GroupNormalization"),
            (lambda: GroupNormalization(1, -1e-3), "GroupNormalization"),
            (lambda: Scaling(4, axis=0), "Scaling"),
            (lambda: Maxout(0), "Maxout"),
            (lambda: GELU("sigmoid"), "GELU"),  # type: ignore[arg-type]  # which is the point
        ],
    )
    def test_a_wrong_argument_is_refused_by_name(self, make: Callable[[], Module], name: str) -> None:
        with pytest.raises(ValueError, match=name):
            make()

    def test_a_shared_parameter_is_listed_once(self) -> None:
        first, second = Linear(3, 3), Linear(3, 3)
        second.weight = first.weight
        assert list(Sequential(first, second).named_parameters()) == ["0.weight", "0.bias", "1.bias"]

    def test_modes_reach_every_module_below(self) -> None:
        module = network()
        for mode, switch in ((False, module.evaluate), (True, module.train)):
            assert switch() is module
            assert {child.training for _, child in module.named_modules()} == {mode}

    def test_nan_goes_through(self) -> None:
        for make in EVERY_LAYER[:-1]:
            if not isinstance(make("float32"), Dropout):
                assert np.any(np.isnan(make("float32").evaluate()(np.full((6, 4), np.nan, np.float32))))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda size: Linear(size, 2), "Linear: in_features"),
        (lambda size: Linear(2, size), "Linear: out_features"),
        (lambda size: Conv2d(size, 2, 1), "Conv2d takes integers"),
        (lambda size: Conv2d(2, size, 1), "Conv2d takes integers"),
        (lambda size: Conv2d(2, 2, 1, groups=size), "Conv2d takes integers"),
        (Maxout, "Maxout: pieces"),
        (PReLU, "PReLU: num_features"),
        (Scaling, "Scaling: num_features"),
        (BatchNormalization, "BatchNormalization: num_features"),
        (LayerNormalization, "LayerNormalization: axes"),
        (GroupNormalization, "GroupNormalization: groups"),
    ],
)
def test_a_size_is_an_integer(make: Callable[[Any], Module], name: str) -> None:
    for wrong in (2.0, 1.5, "2", (2,), None, -1):
        with pytest.raises(ValueError, match=f"^{name}.*{re.escape(repr(wrong))}"):
            make(wrong)
    assert repr(make(np.int64(2))) == repr(make(2))
