"""Every call of attention in a forward pass, whichever module or function computes it.

Seen are ``scaled_dot_product_attention`` with any of its kernels, ``nn.MultiheadAttention``, and
the weights of a softmax that are multiplied with values by ``matmul``, ``bmm`` or ``einsum``.
Kernels of other packages and TorchScript cannot be seen into.
"""

from __future__ import annotations

import types
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from video_cam.layers.attention_kernels import open_kernels
from video_cam.layers.attention_weights import (
    AttentionCall,
    Heads,
    from_einsum,
    from_product,
    from_sdpa,
)
from video_cam.layers.hooks import first_tensor, in_backward_pass
from video_cam.utils.nested import tensors_in

_SOFTMAX = {F.softmax, torch.softmax, Tensor.softmax, torch.special.softmax}
_PRODUCTS = {torch.matmul, torch.bmm, Tensor.matmul, Tensor.bmm}
# What may lie between the softmax and the product, and leaves the weights what they are.
_UNCHANGED = {
    *(F.dropout, torch.dropout, Tensor.to, Tensor.type_as, Tensor.float, Tensor.half),
    *(Tensor.type, Tensor.bfloat16, Tensor.contiguous, Tensor.view, Tensor.reshape),
    *(Tensor.flatten, Tensor.unflatten, Tensor.nan_to_num, torch.nan_to_num),
}


@dataclass
class ModuleRun:
    """One call of a module.

    Attributes:
        name: of the module.
        number: how often it ran before in this pass.
        taken: shape of its first input tensor; None without one.
        given: shape of its first output tensor; None before its end.
    """

    name: str
    number: int
    taken: tuple[int, ...] | None
    given: tuple[int, ...] | None = None


# (the call, the modules that are running, outermost first) -> the output that the network goes on
# with
OnCall = Callable[[AttentionCall, Sequence[ModuleRun]], Tensor]


@contextmanager
def watch_attention(model: nn.Module, on_call: OnCall) -> Iterator[None]:
    """Call ``on_call`` for every attention in forward passes made inside the block.

    Afterwards hooks and settings of the network are as they were, also after an error.
    """
    running: list[ModuleRun] = []
    numbers: Counter[str] = Counter()
    with ExitStack() as stack:
        stack.enter_context(open_kernels(model))
        for name, module in model.named_modules():
            before = module.register_forward_pre_hook(
                _begin(running, numbers, name), with_kwargs=True
            )
            after = module.register_forward_hook(_end(running), always_call=True)
            stack.callback(before.remove)
            stack.callback(after.remove)
        stack.enter_context(_Watch(lambda call: on_call(call, tuple(running))))
        yield


def _begin(running: list[ModuleRun], numbers: Counter[str], name: str) -> Callable[..., None]:
    def hook(_module: nn.Module, inputs: Any, named: Any) -> None:
        first = next(iter(tensors_in([inputs, named])), None)
        taken = None if first is None else tuple(first.shape)
        running.append(ModuleRun(name, numbers[name], taken))
        numbers[name] += 1

    return hook


def _end(running: list[ModuleRun]) -> Callable[..., None]:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        first = first_tensor(output)
        running.pop().given = None if first is None else tuple(first.shape)

    return hook


@dataclass(eq=False)
class _Watch(TorchFunctionMode):
    """Hands the calls of attention on.

    Attributes:
        on_call: gets each call, and returns the output that the network goes on with.
        weights: the latest result of a softmax, and what was made of it; these alone may be
            multiplied with values.
        heads: of the ``nn.MultiheadAttention`` that is running, which joins heads and samples.
    """

    on_call: Callable[[AttentionCall], Tensor]
    weights: list[Tensor] = field(default_factory=list)
    heads: Heads = None

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """What PyTorch calls in place of each of its functions."""
        named = dict(kwargs or {})
        if in_backward_pass():  # a checkpointed part runs again, for the same values
            return func(*args, **named)
        if func is F.multi_head_attention_forward:
            return self._multi_head(func, args, named)
        output = func(*args, **named)
        if func is F.scaled_dot_product_attention:
            return self.on_call(from_sdpa(args, named, output, self.heads))
        if func in _SOFTMAX:
            self.weights = [output] if _is_over_keys(output, args, named) else []
        elif func in _UNCHANGED and args and self._is_weights(args[0]):
            self.weights.append(output)
        elif func in _PRODUCTS and len(args) == 2 and self._is_weights(args[0]):
            return self.on_call(from_product(args[0], args[1], output, self.heads))
        elif func is torch.einsum and any(map(self._is_weights, tensors_in(args[1:]))):
            call = from_einsum(args, output, next(filter(self._is_weights, tensors_in(args[1:]))))
            return output if call is None else self.on_call(call)
        return output

    def _is_weights(self, value: Any) -> bool:
        return any(value is one for one in self.weights)

    def _multi_head(
        self, func: Callable[..., Any], args: Sequence[Any], named: Mapping[str, Any]
    ) -> Any:
        """PyTorch's own code, in which this mode sees the functions that it calls."""
        # Positions and names of the function's parameters.
        self.heads = named.get("num_heads", args[4] if len(args) > 4 else None)
        try:
            with self:
                return _without_overrides(func)(*args, **named)
        finally:
            self.heads = None


def _without_overrides(func: Any) -> Callable[..., Any]:
    """A Python function of PyTorch that does not ask for overrides of itself, as this mode is."""
    names = {**func.__globals__, "has_torch_function": lambda *_: False}
    copied = types.FunctionType(
        func.__code__, names, func.__name__, func.__defaults__, func.__closure__
    )
    copied.__kwdefaults__ = func.__kwdefaults__
    return copied


def _is_over_keys(output: Tensor, args: Sequence[Any], named: Mapping[str, Any]) -> bool:
    """Whether a softmax may be over the keys of attention: along the last of several axes."""
    dim = named.get("dim", args[1] if len(args) > 1 else None)
    return output.ndim >= 2 and dim in (-1, output.ndim - 1)
