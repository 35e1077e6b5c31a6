"""Record one forward pass: what each call puts out until a layer's call ends.

It is what a later pass can answer from, so it must hold what a call put out before anything wrote
to it in place, and must leave out calls whose effect is more than what they put out.
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
class Record:
    """What a call gave in the recorded pass.

    answers: False for a call that is made again. shapes: of the tensors it was given.
    written: something later in the pass wrote to the output's memory; ``output`` is from before.
    onto: of a layer that works in place, which of the tensors it was given it changed.
    """

    module: nn.Module
    output: Any
    shapes: list[torch.Size]
    answers: bool = True
    written: bool = False
    onto: int | None = None

    def safe(self, tensor: Tensor) -> Tensor:
        """``tensor``, or a copy where what comes next is about to write to it."""
        return tensor.clone() if self.written else tensor


class Recorder(TorchDispatchMode):
    """Keeps what calls put out until the layer's call ends, as it was before any later write.

    A call that ends well stands for all calls made inside it. One that writes to what it was
    given, or hands on its memory (an in-place ReLU, a dropout), is made again instead: an answer
    from elsewhere would not change what the caller still holds. Those inside it are then kept.
    """

    def __init__(self, name: str, module: nn.Module, x: Any) -> None:
        super().__init__()
        self.name, self.module = name, module
        self.x = Record(module, map_tensors(torch.Tensor.detach, x), [])
        self.records: list[Record] = []
        self.layer: Record | None = None
        self.writes: list[int] = []  # the memory written to, in order
        self.put_out: set[int] = set()  # the memory of the layer's own output

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
        self.writes += memory
        for record in [self.x, *self.records, *([self.layer] if self.layer else [])]:
            if memory & _memory_of(record.output):
                record.output = map_tensors(torch.clone, record.output)
                record.written = True

    def recording(self, module: nn.Module) -> Call:
        """The call of ``module``, with its output kept if it ends before the layer's does."""
        call = own_call(module)

        def record(*args: Any, **kwargs: Any) -> Any:
            if self.layer is not None and module is not self.module:
                return call(*args, **kwargs)
            # Now, because some networks change the list they are given.
            given = list(tensors_in((args, kwargs)))
            shapes = [tensor.shape for tensor in given]
            first, writes = len(self.records), len(self.writes)
            output = call(*args, **kwargs)
            # Packed afresh for the same reason.
            kept = Record(module, map_tensors(torch.Tensor.detach, output), shapes)
            self._keep(kept, given, {*self.writes[writes:]}, first)
            return output

        return record

    def note_output(self, _module: nn.Module, _given: Any, output: Any) -> None:
        """A forward hook for the layer: a later hook may hand on a copy of what it put out."""
        self.put_out = _memory_of(next(tensors_in(output), None))

    def _keep(self, record: Record, given: list[Tensor], written: set[int], first: int) -> None:
        """Keep a call that was given tensors and wrote to memory; records from ``first`` are of
        the calls inside it."""
        if record.module is self.module:
            self._keep_layer(record, given, written)
            self.records[first:] = []
        elif self.layer is not None:  # the layer's call was one of those inside
            return
        elif not is_plain(record.output) or _memory_of(given) & (
            written | _memory_of(record.output)
        ):
            self.records.append(Record(record.module, None, [], answers=False))
        else:
            self.records[first:] = [record]

    def _keep_layer(self, record: Record, given: list[Tensor], written: set[int]) -> None:
        if self.layer is not None:
            raise UsageError(
                f"layer {self.name!r} runs more than once in a forward pass, so what follows it "
                "is not defined: choose a layer that runs once, such as the block around it"
            )
        in_place = written & self.put_out
        record.onto = next((i for i, t in enumerate(given) if _memory_of(t) & in_place), None)
        self.layer = record


def _memory_of(value: Any) -> set[int]:
    """The addresses of the storages that the tensors in ``value`` lie in."""
    tensors = [tensor for tensor in tensors_in(value) if is_plain(tensor)]
    return {tensor.untyped_storage().data_ptr() for tensor in tensors if tensor.numel()}


def own_call(module: nn.Module) -> Call:
    """What ``module(...)`` does, also where ``module.compile()`` has been used."""
    return module._compiled_call_impl or module._call_impl


@contextmanager
def calls_replaced(calls: Mapping[nn.Module, Call]) -> Iterator[None]:
    """Inside the block ``module(...)`` makes the call in the table, hooks and all left out.

    It is done where Module.compile does it, so ``forward`` and the hooks stay what they are.
    """
    place = "_compiled_call_impl"
    before = {module: vars(module)[place] for module in calls if place in vars(module)}
    try:
        for module, call in calls.items():
            vars(module)[place] = call
        yield
    finally:
        for module in calls:
            vars(module).pop(place, None)
        for module, call in before.items():
            vars(module)[place] = call
