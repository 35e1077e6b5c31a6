"""Record one forward pass: the outputs of all module calls that end before a layer's call ends.

A later pass can return these outputs instead of running the modules again. So an output is kept as
it was before anything wrote to it in place, and a call that changes more than its output is marked
to be run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from video_cam.errors import UsageError
from video_cam.utils.nested import is_plain, map_tensors, tensors_in

Call = Callable[..., Any]


@dataclass
class RecordedCall:
    """One call of a module in the recorded pass.

    Attributes:
        module: the module.
        output: its output, detached; None for a call that is not reusable.
        input_shapes: shapes of the tensors that it was given.
        reusable: whether a later pass can return ``output`` instead of running the module.
        overwritten: whether a later operation of the pass wrote to the output's memory; ``output``
            is then a copy from before.
        same: positions of the output's tensors that are the first one, returned several times.
        in_place_input: for a layer that works in place, the position of the input tensor that it
            wrote to; None for other layers.
    """

    module: nn.Module
    output: Any
    input_shapes: list[torch.Size]
    reusable: bool = True
    overwritten: bool = False
    in_place_input: int | None = None
    same: frozenset[int] = frozenset({0})

    def protect(self, tensor: Tensor) -> Tensor:
        """``tensor``, or a copy of it where the operations that follow write to it in place."""
        return tensor.clone() if self.overwritten else tensor


class Recorder(TorchDispatchMode):
    """Keeps the outputs of module calls until the layer's call ends.

    A recorded call replaces those made inside it. A call that writes to its inputs, or whose output
    shares their memory (an in-place ReLU, dropout in evaluation mode), is run again by a later
    pass: a stored output would not change the tensor that the caller still holds. Of such a call,
    the calls inside it are kept.

    Attributes:
        layer_name, layer_module: the layer.
        network_input: the input of the pass, as a recorded output.
        calls: in the order in which they ended.
        layer_call: the layer's call; None until it ends.
    """

    def __init__(self, layer_name: str, layer_module: nn.Module, x: Any) -> None:
        super().__init__()
        self.layer_name, self.layer_module = layer_name, layer_module
        self.network_input = RecordedCall(layer_module, map_tensors(torch.Tensor.detach, x), [])
        self.calls: list[RecordedCall] = []
        self.layer_call: RecordedCall | None = None
        self._written: list[int] = []  # addresses of the memory written to, in order
        self._layer_output: set[int] = set()  # addresses of the layer's own output

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func._schema.is_mutable:
            for index, argument in enumerate(func._schema.arguments):
                if argument.alias_info is not None and argument.alias_info.is_write:
                    value = args[index] if index < len(args) else kwargs.get(argument.name)
                    self._before_write(_memory_of(value))
        return func(*args, **kwargs)

    def _before_write(self, memory: set[int]) -> None:
        """Copy recorded outputs in this memory before an operation writes to it."""
        self._written += memory
        layer_calls = [self.layer_call] if self.layer_call else []
        for call in [self.network_input, *self.calls, *layer_calls]:
            if memory & _memory_of(call.output):
                call.output = map_tensors(torch.clone, call.output)
                call.overwritten = True

    def recorded(self, module: nn.Module) -> Call:
        """The call of ``module``, recorded if it ends before the layer's does."""
        call = own_call(module)

        def call_and_record(*args: Any, **kwargs: Any) -> Any:
            if self.layer_call is not None and module is not self.layer_module:
                return call(*args, **kwargs)
            # Before the call, because some networks change the list they are given.
            inputs = list(tensors_in((args, kwargs)))
            shapes = [tensor.shape for tensor in inputs]
            first, writes = len(self.calls), len(self._written)
            output = call(*args, **kwargs)
            # In new containers for the same reason.
            made = RecordedCall(module, map_tensors(torch.Tensor.detach, output), shapes)
            made.same = _positions_of_first(output)
            self._add(made, inputs, {*self._written[writes:]}, first)
            return output

        return call_and_record

    def note_layer_output(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        """A forward hook for the layer; later hooks may replace its output by a copy."""
        self._layer_output = _memory_of(next(tensors_in(output), None))

    def _add(self, made: RecordedCall, inputs: list[Tensor], written: set[int], first: int) -> None:
        """Record a call that wrote to some memory; the calls inside it start at ``first``."""
        if made.module is self.layer_module:
            self._add_layer(made, inputs, written)
            self.calls[first:] = []
        elif self.layer_call is not None:  # the layer ran inside this call
            return
        elif not is_plain(made.output) or _memory_of(inputs) & (written | _memory_of(made.output)):
            self.calls.append(RecordedCall(made.module, None, [], reusable=False))
        else:
            self.calls[first:] = [made]

    def _add_layer(self, made: RecordedCall, inputs: list[Tensor], written: set[int]) -> None:
        if self.layer_call is not None:
            raise UsageError(
                f"layer {self.layer_name!r} runs more than once in a forward pass, so what follows "
                "it is not defined: choose a layer that runs once, such as the block around it"
            )
        in_place = written & self._layer_output
        positions = (i for i, tensor in enumerate(inputs) if _memory_of(tensor) & in_place)
        made.in_place_input = next(positions, None)
        self.layer_call = made


def _positions_of_first(output: Any) -> frozenset[int]:
    tensors = [*tensors_in(output)]
    return frozenset(i for i, tensor in enumerate(tensors) if tensor is tensors[0])


def _memory_of(value: Any) -> set[int]:
    """The addresses of the storages of the tensors in ``value``."""
    tensors = [tensor for tensor in tensors_in(value) if is_plain(tensor)]
    return {tensor.untyped_storage().data_ptr() for tensor in tensors if tensor.numel()}


def own_call(module: nn.Module) -> Call:
    """What ``module(...)`` runs, also after ``module.compile()``."""
    return module._compiled_call_impl or module._call_impl


@contextmanager
def replaced_calls(calls: Mapping[nn.Module, Call]) -> Iterator[None]:
    """Inside the block ``module(...)`` runs the function in ``calls`` instead, without hooks.

    It is replaced where Module.compile does it, so ``forward`` and hooks stay as they are.
    """
    attribute = "_compiled_call_impl"
    before = {module: vars(module)[attribute] for module in calls if attribute in vars(module)}
    try:
        for module, call in calls.items():
            vars(module)[attribute] = call
        yield
    finally:
        for module in calls:
            vars(module).pop(attribute, None)
        for module, call in before.items():
            vars(module)[attribute] = call
