"""Networks of which only scores can be had: functions, TorchScript, and what other programs run.

They have no layers to look into and no gradients that could be asked for, so only methods that
change the input and compare scores work.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from video_cam.choice_names import SCORE_METHOD_NAMES
from video_cam.errors import UsageError
from video_cam.utils.nested import map_tensors, tensors_in


class ScoresOnly(nn.Module):
    """A network whose forward gives scores, and of which nothing else is known.

    Attributes:
        kind: what it is, for messages.
        has_input_gradient: whether the scores have a gradient at the input.
    """

    kind = "a network"
    has_input_gradient = False

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The network's outputs for inputs with values.

        Raises:
            ValueError: for inputs without values, as on the meta device: what is called here may
                read memory that they do not have.
        """
        if any(tensor.is_meta for tensor in tensors_in((inputs, named))):
            raise ValueError(f"{self.kind} cannot run on shapes alone")
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.has_input_gradient):
            return self.scores(*inputs, **named)

    def scores(self, *inputs: Any, **named: Any) -> Any:
        """The outputs, in any container."""
        raise NotImplementedError


class FunctionNetwork(ScoresOnly):
    """A function of the caller's, as a network."""

    kind = "a function"

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def scores(self, *inputs: Any, **named: Any) -> Any:
        """What the function returns; arrays, lists of numbers and numbers become tensors."""
        return _as_tensors(self.function(*inputs, **named))


class ScriptedNetwork(ScoresOnly):
    """A TorchScript network. Its parts are no modules of Python, so they take no hooks.

    Parameters and buffers are those of the network itself.
    """

    kind = "a TorchScript network"
    has_input_gradient = True

    def __init__(self, scripted: torch.jit.ScriptModule) -> None:
        super().__init__()
        # In a tuple: as a sub-module its parts would be among the layers.
        self._scripted = (scripted,)

    @property
    def scripted(self) -> torch.jit.ScriptModule:
        """The network itself."""
        return self._scripted[0]

    def scores(self, *inputs: Any, **named: Any) -> Any:
        """The network's own outputs."""
        return self.scripted(*inputs, **named)

    @contextmanager
    def unoptimised(self) -> Iterator[None]:
        """Inside the block, every operation of the network is a node of its own in a graph.

        After a few passes TorchScript fuses operations into nodes that nothing can look into, and
        keeps doing so. So a copy that has not run yet runs in the block.
        """
        own, file = self._scripted, io.BytesIO()
        torch.jit.save(self.scripted, file)
        file.seek(0)
        device = next((p.device for p in self.scripted.parameters()), torch.device("cpu"))
        self._scripted = (torch.jit.load(file, map_location=device),)
        try:
            with torch.jit.optimized_execution(False):
                yield
        finally:
            self._scripted = own

    def modules(self, *arguments: Any, **named: Any) -> Iterator[nn.Module]:
        """Itself and the network's parts, whose modes are restored; frozen ones have none."""
        yield self
        parts = self.scripted.modules(*arguments, **named)
        yield from (part for part in parts if hasattr(part, "training"))

    def named_parameters(self, *arguments: Any, **named: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """Those of the network itself."""
        return self.scripted.named_parameters(*arguments, **named)

    def named_buffers(self, *arguments: Any, **named: Any) -> Iterator[tuple[str, Tensor]]:
        """Those of the network itself."""
        return self.scripted.named_buffers(*arguments, **named)

    def state_dict(self, *arguments: Any, **named: Any) -> Any:
        """That of the network itself."""
        return self.scripted.state_dict(*arguments, **named)

    def train(self, mode: bool = True) -> ScriptedNetwork:
        """Set the network's mode; a frozen one has none."""
        super().train(mode)
        if hasattr(self.scripted, "training"):
            self.scripted.train(mode)
        return self

    def _apply(self, *arguments: Any, **named: Any) -> ScriptedNetwork:
        self.scripted._apply(*arguments, **named)
        return self


def as_network(network: Any) -> nn.Module:
    """A network at hand as one that all of this project takes.

    Args:
        network: an nn.Module, returned as it is unless it is TorchScript; or a function from a clip
            (N, C, T, H, W) to scores.

    Raises:
        UsageError: for anything else.
    """
    if isinstance(network, torch.jit.ScriptModule):
        return ScriptedNetwork(network)
    if isinstance(network, nn.Module):
        return network
    if callable(network) and not isinstance(network, type):
        return FunctionNetwork(network)
    what = (
        f"the class {network.__name__}"
        if isinstance(network, type)
        else f"a {type(network).__name__}"
    )
    raise UsageError(
        f"the network is {what}, expected an nn.Module or a function from a clip to scores: of "
        "a video_cam classifier give its .module"
    )


def refuse_methods(network: nn.Module, methods: Sequence[str]) -> None:
    """Raise UsageError for methods that need more than scores of a network that gives no more."""
    wrong = [method for method in methods if method not in SCORE_METHOD_NAMES]
    if isinstance(network, ScoresOnly) and wrong:
        raise UsageError(
            f"{wrong[0]} needs a network's layers, and {network.kind} gives scores alone: give "
            f"--method {' or '.join(SCORE_METHOD_NAMES)} (in Python methods=)"
        )


def _as_tensors(outputs: Any) -> Any:
    """Outputs of a function in containers, with tensors in place of arrays and plain numbers."""
    if isinstance(outputs, Tensor):
        return outputs.detach()
    if isinstance(outputs, np.ndarray | np.generic | int | float):
        return torch.as_tensor(np.asarray(outputs))
    if isinstance(outputs, Mapping):
        return {key: _as_tensors(value) for key, value in outputs.items()}
    if isinstance(outputs, list | tuple) and _holds_numbers(outputs):
        return torch.tensor(outputs)
    if isinstance(outputs, list | tuple):
        return [_as_tensors(value) for value in outputs]
    return map_tensors(torch.detach, outputs)


def _holds_numbers(values: Any) -> bool:
    """Whether lists hold numbers alone, as an array's ``tolist`` gives them."""
    if isinstance(values, list | tuple):
        return bool(values) and all(map(_holds_numbers, values))
    return isinstance(values, int | float)
