"""Training: the loop repeats and records what it should, and a divergence is traced to where it began."""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import DTypeLike

from numpynet import (
    SGD,
    Array,
    BatchNormalization,
    CrossEntropyCriterion,
    Dropout,
    Linear,
    Module,
    MSECriterion,
    ReLU,
    Scaling,
    Sequential,
)
from numpynet.datasets import Dataset, Split, batch_order, digits, order_hash
from numpynet.training import Callback, Divergence, Logs, Steps, Trainer, accuracy, correct, evaluate, fit, predict

T = TypeVar("T")


def network(rng: np.random.Generator, *extra: Module) -> Sequential:
    return Sequential(Linear(64, 32, rng=rng), ReLU(), *extra, Linear(32, 32, rng=rng), ReLU(), Linear(32, 10, rng=rng))


def trainer(*extra: Module, seed: int = 0, dtype: DTypeLike = np.float32) -> Trainer:
    model = network(np.random.default_rng(seed), *extra).astype(dtype)
    return Trainer(model, CrossEntropyCriterion(), SGD(model.parameters(), lr=0.1, momentum=0.9))


def short(callbacks: Sequence[Callback] = (), epochs: int = 2, **options: Any) -> dict[str, Any]:
    return {"epochs": epochs, "batch_size": 128, "seed": 0, "callbacks": callbacks, **options}


def recorded(run: Callable[[Callback], T]) -> tuple[T, list[tuple[Any, ...]]]:
    """What `run` returns, given a callback, and the calls of its hooks: name, arguments."""
    calls = []

    class Recorder(Callback):
        def __getattribute__(self, hook: str) -> Callable[..., None]:
            return lambda *arguments: calls.append((hook, *arguments))

    return run(Recorder()), calls


class TestLoop:
    def test_digits_are_learnt(self) -> None:
        learner, data = trainer(), digits()
        history = fit(learner, data, **short(epochs=30))
        assert history.losses[-1] < 0.1 < history.losses[0]
        assert evaluate(learner, data.test).accuracy > 0.9

    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
    def test_a_training_repeats_to_the_bit_in_any_dtype(self, dtype: DTypeLike) -> None:
        learners = [trainer(dtype=dtype), trainer(dtype=dtype)]
        first, again = (fit(learner, digits(), **short()) for learner in learners)
        assert (first.step_losses, first.order_hashes) == (again.step_losses, again.order_hashes)
        for a, b in zip(*(learner.model.parameters() for learner in learners), strict=True):
            assert a.value.dtype == dtype
            np.testing.assert_array_equal(a.value, b.value)

    def test_fit_is_the_loop_one_would_write(self) -> None:
        data, learner = digits(), trainer()
        train = data.train
        orders = [batch_order(len(train), 128, 0, epoch) for epoch in range(2)]
        losses = [[learner.step(train.inputs[rows], train.targets[rows]) for rows in batches] for batches in orders]
        history = fit(trainer(), data, **short())
        assert history.step_losses == [loss for values in losses for loss in values]
        assert history.order_hashes == [order_hash(batches) for batches in orders]
        weights = [len(rows) for rows in orders[0]]
        assert weights[-1] < weights[0]
        expected = [np.average(values, weights=weights) for values in losses]
        assert history.losses == pytest.approx(expected, rel=1e-15)  # added up in another order

    def test_validation_scores_are_those_of_the_evaluation_mode(self) -> None:
        learner, data = trainer(Dropout(0.5, rng=np.random.default_rng(0))), digits()
        history = fit(learner, data, **short())
        outputs = learner.model.evaluate()(data.validation.inputs)
        assert history.validation_accuracies[-1] == accuracy(outputs, data.validation.targets)
        np.testing.assert_allclose(
            history.validation_losses[-1],
            CrossEntropyCriterion()(outputs, data.validation.targets),
            rtol=1e-5,  # the batches of the validation are added up in another order
        )

    def test_a_step_trains_also_after_a_prediction(self) -> None:
        learner = trainer(BatchNormalization(32))
        inputs, targets = digits().train.inputs[:8], digits().train.targets[:8]
        learner.predict(inputs)
        learner.step(inputs, targets)
        layer = learner.model.children()["2"]
        assert isinstance(layer, BatchNormalization)
        assert layer.training
        assert layer.running_mean.any()

    def test_every_list_has_one_entry_an_epoch_or_one_a_step(self) -> None:
        history = fit(trainer(), digits(), **short())
        assert {name: len(values) for name, values in vars(history).items()} == {
            **dict.fromkeys(vars(history), 2),
            "step_losses": 20,
        }

    def test_a_dataset_without_validation_rows_has_no_validation_scores(self) -> None:
        train, nothing = digits().train, Split(np.zeros((0, 64), np.float32), np.zeros(0, np.int64))
        history = fit(trainer(), Dataset("digits", train, nothing, nothing, digits().classes), **short())
        assert history.validation_losses == history.validation_accuracies == []
        with pytest.raises(ValueError, match="digits has no training rows"):
            fit(trainer(), Dataset("digits", nothing, train, nothing, digits().classes), **short())

    def test_step_and_predict_are_enough(self) -> None:
        class Constant:
            def step(self, inputs: Array, targets: Array) -> float:
                return float(len(inputs))

            def predict(self, inputs: Array, batch_size: int) -> Array:
                return np.tile(np.eye(10)[3], (len(inputs), 1))

        history, data = fit(Constant(), digits(), **short()), digits()
        assert history.step_losses[:10] == [*[128] * 9, 45]
        assert history.validation_losses == history.accuracies == []
        assert history.validation_accuracies == [np.mean(data.validation.targets == 3)] * 2

    @pytest.mark.parametrize("rows", [0, 1, 7, 8])
    def test_predictions_do_not_depend_on_the_batch_size(self, rows: int) -> None:
        class Reusing(Module):
            buffer = np.empty((8, 3), np.float32)

            def forward(self, input: Array) -> Array:
                return np.multiply(input, 2, out=self.buffer[: len(input)])

        inputs = np.arange(24, dtype=np.float32).reshape(8, 3)[:rows]
        model = Reusing()
        outputs = Trainer(model, MSECriterion(), SGD([], lr=1)).predict(inputs, batch_size=2)
        np.testing.assert_array_equal(outputs, 2 * inputs)


class TestCallbacks:
    def test_hooks_are_called_in_order_with_what_has_ended(self) -> None:
        history, calls = recorded(lambda recorder: fit(trainer(), digits(), **short([recorder], batch_size=600)))
        epoch = ["on_epoch_begin", *["on_train_batch_begin", "on_train_batch_end"] * 2]
        epoch += ["on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end", "on_epoch_end"]
        assert [hook for hook, *_ in calls] == ["on_train_begin", *epoch * 2, "on_train_end"]
        logs = {"loss": history.losses[1], "accuracy": history.accuracies[1]}
        logs |= {"val_loss": history.validation_losses[1], "val_accuracy": history.validation_accuracies[1]}
        assert calls[-2:] == [("on_epoch_end", 1, logs), ("on_train_end", logs)]
        assert all(logs == {} for hook, *_, logs in calls if hook.endswith("begin"))

    def test_logs_of_a_batch_are_means_over_the_rows_of_the_epoch_so_far(self) -> None:
        history, calls = recorded(lambda recorder: fit(trainer(), digits(), **short([recorder], batch_size=500)))
        first, second, third = [logs for hook, *_, logs in calls if hook == "on_train_batch_end"][3:]
        losses = history.step_losses[3:]
        assert first["loss"] == losses[0]
        assert second["loss"] == pytest.approx((losses[0] + losses[1]) / 2, rel=1e-15)
        assert third["loss"] == pytest.approx((500 * losses[0] + 500 * losses[1] + 197 * losses[2]) / 1197, rel=1e-15)
        assert third["accuracy"] == history.accuracies[1]

    def test_a_test_and_a_prediction_have_hooks_of_their_own(self) -> None:
        learner, data = trainer(), digits()
        scores, calls = recorded(lambda recorder: evaluate(learner, data.test, 150, [recorder]))
        batch = ["on_test_batch_begin", "on_test_batch_end"]
        assert [hook for hook, *_ in calls] == ["on_test_begin", *batch * 3, "on_test_end"]
        assert calls[-1][1] == {"loss": scores.loss, "accuracy": scores.accuracy}
        outputs, calls = recorded(lambda recorder: predict(learner, data.test.inputs, 150, [recorder]))
        batch = ["on_predict_batch_begin", "on_predict_batch_end"]
        assert [hook for hook, *_ in calls] == ["on_predict_begin", *batch * 3, "on_predict_end"]
        assert [len(logs["outputs"]) for hook, *_, logs in calls if hook == batch[1]] == [150, 150, 100]
        assert scores.accuracy == accuracy(outputs, data.test.targets)

    def test_a_callback_may_change_the_learning_rate(self) -> None:
        learner = trainer()

        class Freeze(Callback):
            def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
                learner.optimizer.lr = 0.1 if epoch == 0 else 0

        history = fit(learner, digits(), **short([Freeze()], epochs=3))
        assert history.validation_losses[0] == history.validation_losses[1] == history.validation_losses[2]

    @pytest.mark.parametrize(
        ("terminal", "progress", "shown"), [(True, True, True), (True, False, False), (False, True, False)]
    )
    def test_progress_is_shown_on_terminals(
        self, monkeypatch: pytest.MonkeyPatch, terminal: bool, progress: bool, shown: bool
    ) -> None:
        screen = io.StringIO()
        monkeypatch.setattr(screen, "isatty", lambda: terminal)
        monkeypatch.setattr("sys.stderr", screen)
        history = fit(trainer(), digits(), **short(progress=progress))
        lines = screen.getvalue().splitlines()
        assert bool(lines) == shown
        if shown:
            assert lines[0].startswith("epoch 1/2: [==..................] 1/10, loss")
            assert f"validation loss {history.validation_losses[-1]:.4g}, accuracy 0." in lines[-1]


class Overflowing(Module):
    """The identity, but infinite in `direction` from the `start`-th call on."""

    def __init__(self, direction: str, start: int = 0) -> None:
        self.direction = direction
        self.start = start

    def pass_on(self, array: Array, direction: str) -> Array:
        self.start -= direction == self.direction
        return array * np.float32(np.inf) if direction == self.direction and self.start < 0 else array

    def forward(self, input: Array) -> Array:
        return self.pass_on(input, "forward")

    def backward(self, grad_output: Array) -> Array:
        return self.pass_on(grad_output, "backward")


def diverge(learner: Steps, data: Dataset | None = None, **options: Any) -> Divergence:
    with pytest.raises(Divergence) as raised:
        fit(learner, data or digits(), **short(**options))
    return raised.value


class TestDivergence:
    """2 epochs of 10 steps each."""

    def test_a_learning_rate_too_high_is_reported(self) -> None:
        learner = trainer()
        learner.optimizer.lr = 1e12
        divergence = diverge(learner)
        assert divergence.epoch == 0
        assert re.fullmatch(
            r"training diverged in epoch 0, step \d \(counted from 0\) at loss \S+; "
            r"NaN or inf first appeared in the \w+( \w+)* of layer \d \(\w+\)",
            str(divergence),
        )

    def test_an_output_is_traced_to_its_layer(self) -> None:
        class Grow(Callback):
            def on_train_batch_begin(self, batch: int, logs: Logs) -> None:
                if len(self.history.step_losses) == 13:
                    layer = learner.model.children()["2"]
                    assert isinstance(layer, Linear)
                    layer.weight.value[:] = 3e38

        learner = trainer()
        divergence = diverge(learner, callbacks=[Grow()])
        assert (divergence.tensor, divergence.layer) == ("output", "layer 2 (Linear)")
        assert (divergence.epoch, divergence.step) == (1, 13)
        assert not np.isfinite(divergence.loss)

    def test_a_gradient_is_traced_to_the_layer_whose_backward_made_it(self) -> None:
        divergence = diverge(trainer(Overflowing("backward", start=3)))
        assert (divergence.tensor, divergence.layer) == ("gradient of the input", "layer 2 (Overflowing)")
        assert (divergence.epoch, divergence.step) == (0, 3)
        assert np.isfinite(divergence.loss)

    def test_a_parameter_gradient_is_traced_to_its_parameter(self) -> None:
        linear = Linear(1, 1)
        model = Sequential(Scaling(1), linear)
        linear.weight.value[:] = 1e-30
        learner = Trainer(model, MSECriterion(), SGD(model.parameters(), lr=0))
        with pytest.raises(Divergence, match=r"in the gradient of weight of layer 1 \(Linear\)$"):
            learner.step(np.full((1, 1), 1e30, np.float32), np.full((1, 1), -1e9, np.float32))

    @pytest.mark.parametrize("step", [0, 9, 10])
    def test_an_update_is_reported_at_its_own_step_though_a_relu_hides_it(self, step: int) -> None:
        class Spoil(SGD):
            calls = 0

            def step(self) -> None:
                super().step()
                if self.calls == step:
                    self.parameters[1].value[:] = -np.inf
                self.calls += 1

        learner = trainer()
        learner.optimizer = Spoil(learner.model.parameters(), lr=0.1)
        history = fit(trainer(), digits(), **short(epochs=1))
        divergence = diverge(learner)
        assert (divergence.tensor, divergence.layer) == ("parameter bias", "layer 0 (Linear)")
        assert (divergence.epoch, divergence.step) == (step // 10, step)
        assert np.isfinite(divergence.loss)
        if step == 0:
            assert divergence.loss == history.step_losses[0]

    def test_a_criterion_is_named(self) -> None:
        model = Sequential(Linear(2, 2))
        learner = Trainer(model, MSECriterion(), SGD(model.parameters(), lr=0.1))
        with pytest.raises(Divergence, match=r"diverged at loss inf; .* the loss of the criterion \(MSECriterion"):
            learner.step(np.zeros((1, 2), np.float32), np.full((1, 2), 1e30, np.float32))

    def test_a_batch_with_a_nan_is_named(self) -> None:
        data = digits()
        data.train.inputs[batch_order(1197, 128, 0, 0)[4][7], 3] = np.nan
        divergence = diverge(trainer(), data)
        assert (divergence.tensor, divergence.layer) == ("inputs", "the batch")
        assert (divergence.epoch, divergence.step) == (0, 4)

    def test_a_model_of_one_layer_is_named(self) -> None:
        model = Linear(2, 2)
        model.weight.value[:] = 3e38
        learner = Trainer(model, CrossEntropyCriterion(), SGD(model.parameters(), lr=0.1))
        with pytest.raises(Divergence, match=r"in the output of the Linear$"):
            learner.step(np.full((1, 2), 2, np.float32), np.array([0]))

    def test_the_search_draws_the_masks_of_the_step_and_takes_the_draw_back(self) -> None:
        class InfiniteForFullRows(Module):
            def forward(self, input: Array) -> Array:
                return self.remember(input * np.where(input.all(), np.inf, 1).astype(input.dtype))

            def backward(self, grad_output: Array) -> Array:
                return grad_output

        rng = np.random.default_rng(0)
        model = Sequential(Dropout(rng=rng), InfiniteForFullRows(), Linear(4, 2))
        learner = Trainer(model, CrossEntropyCriterion(), SGD(model.parameters(), lr=0.1))
        states = []

        def train() -> None:
            while True:
                states.append(rng.bit_generator.state)
                learner.step(np.ones((1, 4), np.float32), np.array([0]))

        with pytest.raises(Divergence, match=r"output of layer 1 \(InfiniteForFullRows\)"):
            train()
        assert len(states) > 1
        assert rng.bit_generator.state == states[-1]

    def test_the_optimizer_does_not_move_a_diverged_model(self) -> None:
        learner, data = trainer(Overflowing("backward")), digits()
        before = learner.model.state_dict()
        diverge(learner, data)
        for name, value in learner.model.state_dict().items():
            np.testing.assert_array_equal(value, before[name])

    def test_large_finite_values_are_no_divergence(self) -> None:
        # Value and gradient are finite, their product is not.
        model = Linear(1, 1)
        model.weight.value[:] = 1e20
        learner = Trainer(model, MSECriterion("sum"), SGD(model.parameters(), lr=0))
        learner.step(np.full((1, 1), 0.175, np.float32), np.full((1, 1), -5e17, np.float32))
        assert model.weight.grad.item() * 1e20 > float(np.finfo(np.float32).max)

    @pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
    def test_a_trainer_that_returns_a_loss_alone_is_stopped_too(self, loss: float) -> None:
        class Lossy:
            def step(self, inputs: Array, targets: Array) -> float:
                return loss

            def predict(self, inputs: Array, batch_size: int) -> Array:
                raise NotImplementedError

        divergence = diverge(Lossy())
        assert str(divergence) == f"training diverged in epoch 0, step 0 (counted from 0) at loss {loss:.6g}"

    def test_a_divergence_crosses_processes(self) -> None:
        divergence = diverge(trainer(Overflowing("forward", start=3)))
        copied = pickle.loads(pickle.dumps(divergence))
        assert (str(copied), repr(copied)) == (str(divergence), repr(divergence))
        assert copied.step == 3


class TestScores:
    def test_the_largest_output_decides_for_classes_and_one_hot_rows(self) -> None:
        outputs = np.array([[1, 2], [2, 1], [1, 1], [np.nan, 1]])
        classes = np.array([1, 1, 0, 0])
        for targets in (classes, np.eye(2)[classes]):
            assert correct(outputs, targets).tolist() == [True, False, True, False]
            assert accuracy(outputs, targets) == 0.5

    def test_other_shapes_and_no_rows_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"got \(2, 3\) and \(3,\)"):
            correct(np.zeros((2, 3)), np.zeros(3))
        with pytest.raises(ValueError, match="no rows"):
            accuracy(np.zeros((0, 2)), np.zeros(0))
