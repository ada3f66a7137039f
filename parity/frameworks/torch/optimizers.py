"""PyTorch optimizers for numpynet rules that torch.optim has only in another form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from numpynet import Adam, Array, ClipByGlobalNorm, ClipByNorm, ClipByValue, Optimizer
from parity.frameworks.counterpart import TensorView, distinct
from parity.frameworks.framework import OptimizerTranslation

Parameters = list[torch.Tensor]


class Rule:
    """torch's optimizer of the tensors in `views`, which follows a numpynet rule, as its pair says.

    Where one tensor holds several arrays, it is given to torch once.
    """

    def __init__(self, rule: Optimizer, translation: OptimizerTranslation, views: Mapping[str, TensorView]) -> None:
        self.views = dict(views)
        self.optimizer: Any = getattr(translation, "torch")(rule, distinct(self.views))  # noqa: B009
        self.names = translation.slots["torch"]
        if rule.clip is not None:
            clip_steps(self.optimizer, rule.clip, list(self.views.values()))

    def step(self, lr: float) -> None:
        self.optimizer.param_groups[0]["lr"] = lr
        self.optimizer.step()

    @property
    def steps(self) -> int:
        """The number of steps that the optimizer remembers; torch's SGD counts none, and 1 stands for any number."""
        return max((int(state.get("step", 1)) for state in self.optimizer.state.values()), default=0)

    def slots(self) -> dict[str, dict[str, Array]]:
        """The optimizer's state arrays, by parameter and numpynet's slot."""
        found: dict[str, dict[str, Array]] = {}
        for name, view in self.views.items():
            state = self.optimizer.state[view.tensor]
            held = {slot: state[theirs] for slot, theirs in self.names.items() if state.get(theirs) is not None}
            found[name] = {slot: view.read(tensor.detach().numpy().copy()) for slot, tensor in held.items()}
        return found


def clip_by_norm(parameters: Parameters, limit: float) -> None:
    """Scale the gradients by limit / norm where their norm exceeds the limit, as numpynet and Keras do.

    torch multiplies by limit / (norm + 1e-6) (differences, clip-norm-eps).
    """
    norm = float(torch.linalg.vector_norm(torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])))
    if norm > limit:
        torch.nn.utils.clip_grad_norm_(parameters, limit * (1 + 1e-6 / norm))


def clip_each_by_norm(parameters: Parameters, limit: float) -> None:
    for parameter in parameters:
        clip_by_norm([parameter], limit)


CLIPS: dict[Any, Callable[[Parameters, float], None]] = {
    ClipByValue: torch.nn.utils.clip_grad_value_,
    ClipByNorm: clip_each_by_norm,
    ClipByGlobalNorm: clip_by_norm,
}


def clip_steps(optimizer: Any, clip: Any, views: list[TensorView]) -> None:
    """Make the optimizer clip in every step, and give back the gradients as they were: more may be added to them.

    Where a tensor holds several arrays, each is clipped as a parameter of its own.
    """
    parameters: Parameters = optimizer.param_groups[0]["params"]
    kept: list[Any] = []

    def before(*_: Any) -> None:
        kept[:] = [parameter.grad for parameter in parameters]
        for parameter in parameters:
            parameter.grad = None if parameter.grad is None else parameter.grad.clone()
        CLIPS[type(clip)]([_alone(view) for view in views], clip.limit)

    def after(*_: Any) -> None:
        for parameter, gradient in zip(parameters, kept, strict=True):
            parameter.grad = gradient

    optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(after)


def _alone(view: TensorView) -> torch.Tensor:
    """The view's tensor or, where it is of a part, a tensor of that shape whose gradient is that part of the whole."""
    if view.part is None:
        whole: torch.Tensor = view.tensor
        return whole
    part = torch.empty_like(view.tensor[view.part])
    part.grad = view.tensor.grad[view.part]
    return part


def eps_hat(optimizer: Any, rule: Adam) -> Any:
    """Make torch's Adam add eps before the correction: for torch, that is another eps in every step."""

    def before(*_: Any) -> None:
        steps = 1 + max((float(state["step"]) for state in optimizer.state.values()), default=0)
        optimizer.param_groups[0]["eps"] = rule.eps / (1 - rule.beta2**steps) ** 0.5

    optimizer.register_step_pre_hook(before)
    return optimizer


class _EpsInside(torch.optim.Optimizer):
    """Base of the rules whose eps is beneath the root: torch adds it outside, and no eps there makes up for it."""

    def __init__(self, parameters: Parameters, rule: Any) -> None:
        super().__init__(parameters, {"lr": rule.lr})
        self.rule = rule

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Any = None) -> None:
        group = self.param_groups[0]
        for parameter in group["params"]:
            gradient = parameter.grad.add(parameter, alpha=self.rule.weight_decay)
            self.move(parameter, gradient, self.state[parameter], group["lr"])

    def move(self, parameter: torch.Tensor, gradient: torch.Tensor, state: dict[str, Any], lr: float) -> None:
        raise NotImplementedError


class RMSpropEpsInside(_EpsInside):
    def move(self, parameter: torch.Tensor, gradient: torch.Tensor, state: dict[str, Any], lr: float) -> None:
        rule = self.rule
        if not state:
            for name in ("square_avg", "grad_avg", "momentum_buffer"):
                state[name] = torch.zeros_like(parameter)
        variance = state["square_avg"].mul_(rule.alpha).addcmul_(gradient, gradient, value=1 - rule.alpha)
        if rule.centered:
            mean = state["grad_avg"].lerp_(gradient, 1 - rule.alpha)
            variance = variance.addcmul(mean, mean, value=-1)
        direction = state["momentum_buffer"].mul_(rule.momentum).addcdiv_(gradient, (variance + rule.eps).sqrt())
        parameter.add_(direction, alpha=-lr)


class AdagradEpsInside(_EpsInside):
    def move(self, parameter: torch.Tensor, gradient: torch.Tensor, state: dict[str, Any], lr: float) -> None:
        if not state:
            state["sum"] = torch.full_like(parameter, self.rule.initial_accumulator)
        squares = state["sum"].addcmul_(gradient, gradient)
        parameter.addcdiv_(gradient, (squares + self.rule.eps).sqrt(), value=-lr)
