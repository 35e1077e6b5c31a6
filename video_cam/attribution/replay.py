"""Run again only what follows a layer: calls that had finished before it answer from memory.

One forward pass is recorded. In a later pass every call of a sub-module that had finished before
the layer's call answers with its recorded output, the layer answers with what it is given, and
the rest is computed: what follows, and the code between the calls in the modules around the layer.
A call is known by its module and by how many calls of that module came before it.

    recorded    conv1   layer1   layer2 [block0  block1]   layer3   fc
    replayed      answered         run   answered given    run      run      (layer2.block1 altered)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.attribution.recording import Call, Record, Recorder, calls_replaced, own_call
from video_cam.errors import UsageError
from video_cam.layers.axes import run
from video_cam.layers.hooks import find_module
from video_cam.utils.nested import map_tensors, sample_rows, tensors_in


@contextmanager
def recording(model: nn.Module, x: Any, layers: Sequence[str]) -> Iterator[Recording]:
    """Record the forward pass of ``x`` that is made inside the block, for runs behind ``layers``.

    The pass may build a graph and may be captured at the same time: what is kept is detached.
    The calls of the network's modules are as they were after the block, whatever happened. Not for
    several threads that share a model. Raises UsageError for an unknown layer, and for one that
    runs more than once.
    """
    recorders = {layer: Recorder(layer, find_module(model, layer), x) for layer in layers}
    with ExitStack() as stack:
        for recorder in recorders.values():
            calls = {part: recorder.recording(part) for part in model.modules()}
            stack.enter_context(calls_replaced(calls))
            # In front of all other hooks: the layer's own output, before anything replaces it.
            hook = recorder.module.register_forward_hook(recorder.note_output, prepend=True)
            stack.callback(hook.remove)
            stack.enter_context(recorder)
        yield Recording(model, recorders)


class Recording:
    """What was kept of a forward pass."""

    def __init__(self, model: nn.Module, recorders: dict[str, Recorder]) -> None:
        self._model, self._recorders = model, recorders

    def replay(self, layer: str, outputs: Any, samples: int) -> Replay:
        """Offer to run again what follows ``layer``, after a pass that put out ``outputs``.

        ``samples`` is how many samples the input held. Where the frames of a clip are folded into
        the first axis, sample n is rows n F ... (n + 1) F of a tensor with samples x F rows.
        Raises UsageError for a layer that did not run or whose rows are not those of samples.
        """
        recorder = self._recorders[layer]
        if recorder.layer is None:
            raise UsageError(f"layer {layer!r} did not run in the forward pass: choose another")
        activation = next(tensors_in(recorder.layer.output), None)
        if activation is None or activation.ndim == 0 or len(activation) % samples:
            shape = None if activation is None else tuple(activation.shape)
            raise UsageError(
                f"layer {layer!r} put out {shape} for {samples} samples, expected a multiple of "
                f"{samples} rows: choose another layer"
            )
        outputs = map_tensors(torch.Tensor.detach, outputs)
        return Replay(self._model, layer, samples, outputs, recorder)


class Replay:
    """A recorded forward pass, of which the part behind a layer can be run again.

    outputs: what the network put out. activation: the layer's output, of a tuple the first tensor,
    (samples x F, ...) with F > 1 where frames are folded into the first axis. The network is to be
    as it was in the recorded pass, in evaluation mode.
    """

    def __init__(
        self, model: nn.Module, layer: str, samples: int, outputs: Any, recorder: Recorder
    ) -> None:
        assert recorder.layer is not None  # checked by _record
        self.model, self.layer, self.samples, self.outputs = model, layer, samples, outputs
        self._x, self._layer, self._records = recorder.x, recorder.layer, recorder.records
        self.activation = next(tensors_in(self._layer.output))

    def sample_activation(self, sample: int) -> Tensor:
        """The layer's output (F, ...) for one sample."""
        return sample_rows(self.activation, self.samples, sample, 1)

    def sample_outputs(self, sample: int) -> Any:
        """The network's outputs for one sample, as ``rerun`` with its own activation gives them."""
        return map_tensors(lambda t: sample_rows(t, self.samples, sample, 1), self.outputs)

    def rerun(self, altered: Tensor, sample: int) -> Any:
        """The network's outputs (B, ...) with ``altered`` (B, ...) as the layer's output.

        Everything in front of the layer is as it was for ``sample``. With folded frames both are
        (B x F, ...), the F rows of one altered activation together. ``altered`` is not changed.
        Raises UsageError for a wrong shape, and where the outputs show that what follows the layer
        does not keep its samples on the first axis.
        """
        batch = self._batch_of(altered, sample)
        answers = _Answers(self, altered, batch, sample)
        with torch.inference_mode(), calls_replaced(answers.calls()):
            outputs = run(self.model, answers.rows(self._x))
        self._check(outputs, batch)
        return outputs

    def _batch_of(self, altered: Tensor, sample: int) -> int:
        rows = len(self.activation) // self.samples
        if altered.shape[1:] != self.activation.shape[1:] or len(altered) % rows:
            expected = (f"a multiple of {rows}", *self.activation.shape[1:])
            raise UsageError(
                f"altered has shape {tuple(altered.shape)}, layer {self.layer!r} puts out "
                f"{expected}: give activations of that shape"
            )
        if not 0 <= sample < self.samples:
            raise UsageError(f"sample {sample} is outside 0 ... {self.samples - 1}")
        return len(altered) // rows

    def _check(self, outputs: Any, batch: int) -> None:
        new, old = (next(tensors_in(o), torch.empty(())) for o in (outputs, self.outputs))
        expected = sample_rows(old, self.samples, 0, batch).shape
        if new.shape != expected:
            raise UsageError(
                f"behind layer {self.layer!r} the network put out {tuple(new.shape)} for {batch} "
                f"activations, expected {tuple(expected)}: it does not keep its samples on the "
                "first axis, so choose another layer or a gradient method"
            )


class _Answers:
    """What the modules answer in one run behind the layer."""

    def __init__(self, recorded: Replay, altered: Tensor, batch: int, sample: int) -> None:
        self.recorded, self.altered = recorded, altered
        self.batch, self.sample = batch, sample

    def calls(self) -> dict[nn.Module, Call]:
        """Only modules that have an answer are in it: nothing else of the network is touched."""
        waiting: dict[nn.Module, list[Record]] = {}
        for record in reversed(self.recorded._records):
            waiting.setdefault(record.module, []).append(record)
        calls = {module: self._answering(module, left) for module, left in waiting.items()}
        calls[self.recorded._layer.module] = self._answer_layer
        return calls

    def rows(self, record: Record) -> Any:
        """A record's rows for the sample, one after another for each altered activation."""
        recorded = self.recorded
        return map_tensors(
            lambda t: record.safe(sample_rows(t, recorded.samples, self.sample, self.batch)),
            record.output,
        )

    def _answering(self, module: nn.Module, waiting: list[Record]) -> Call:
        call = own_call(module)

        def answer(*args: Any, **kwargs: Any) -> Any:
            if not waiting:  # the layer was in front of this call
                return call(*args, **kwargs)
            record = waiting.pop()
            if not record.answers:
                return call(*args, **kwargs)
            shapes = [tensor.shape for tensor in tensors_in((args, kwargs))]
            if self._knows_no_samples(record, shapes):
                return map_tensors(record.safe, record.output)
            return self.rows(record)

        return answer

    def _knows_no_samples(self, record: Record, shapes: list[torch.Size]) -> bool:
        """Whether the call made something that belongs to no sample, such as a table of places.

        What it is given does not grow with the batch, so what it puts out does not either.
        """
        return not shapes or (shapes == record.shapes and self.batch != self.recorded.samples)

    def _answer_layer(self, *args: Any, **kwargs: Any) -> Any:
        record = self.recorded._layer
        altered = record.safe(self.altered)
        if record.onto is not None:  # the caller may go on with what it gave the layer
            altered = [*tensors_in((args, kwargs))][record.onto].copy_(altered)
        if isinstance(record.output, Tensor):
            return altered
        given = [altered]
        return map_tensors(lambda tensor: given.pop() if given else tensor, self.rows(record))
