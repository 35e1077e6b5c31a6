"""Run only the part of a network that follows a layer, from a recorded forward pass.

In a replay every module call that had ended before the layer's call returns its recorded output,
the layer returns the tensor it is given, and everything else is computed: the modules that follow,
and the code between the calls in the modules around the layer. A call is identified by its module
and by the number of earlier calls of the same module.

    recorded    conv1   layer1   layer2 [block0  block1]   layer3   fc
    replayed       recorded        run  recorded given      run     run      (layer2.block1 given)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.attribution.recording import (
    Call,
    RecordedCall,
    Recorder,
    own_call,
    replaced_calls,
)
from video_cam.errors import UsageError
from video_cam.layers.axes import run_network
from video_cam.layers.hooks import find_module
from video_cam.utils.nested import map_tensors, sample_rows, strided_like, tensors_in


@contextmanager
def recording(model: nn.Module, x: Any, layers: Sequence[str]) -> Iterator[Recording]:
    """Record the forward pass on ``x`` that is made inside the block, for replays after ``layers``.

    The pass may build a graph and may be captured at the same time; recorded tensors are detached.
    After the block the network's modules are as they were, also after an error. Not for several
    threads that share a model.

    Raises:
        UsageError: for an unknown layer, and for one that runs more than once.
    """
    recorders = {layer: Recorder(layer, find_module(model, layer), x) for layer in layers}
    with ExitStack() as stack:
        for recorder in recorders.values():
            calls = {module: recorder.recorded(module) for module in model.modules()}
            stack.enter_context(replaced_calls(calls))
            # Before all other hooks, which may replace the layer's output.
            hook = recorder.layer_module.register_forward_hook(
                recorder.note_layer_output, prepend=True
            )
            stack.callback(hook.remove)
            stack.enter_context(recorder)
        yield Recording(model, recorders)


class Recording:
    """A recorded forward pass, for replays after several layers."""

    def __init__(self, model: nn.Module, recorders: dict[str, Recorder]) -> None:
        self._model, self._recorders = model, recorders

    def replay(self, layer: str, outputs: Any, samples: int) -> Replay:
        """The replay of what follows ``layer``.

        Args:
            layer: one of the recorded layers.
            outputs: the network's outputs in the recorded pass.
            samples: number of samples in the input. Where the frames of a clip are folded into the
                first axis, sample n is rows n F ... (n + 1) F of a tensor with samples x F rows.

        Raises:
            UsageError: for a layer that did not run, or whose number of rows is no multiple of
                ``samples``.
        """
        recorder = self._recorders[layer]
        if recorder.layer_call is None:
            raise UsageError(f"layer {layer!r} did not run in the forward pass: choose another")
        activation = next(tensors_in(recorder.layer_call.output), None)
        if activation is None or activation.ndim == 0 or len(activation) % samples:
            shape = None if activation is None else tuple(activation.shape)
            raise UsageError(
                f"the output of layer {layer!r} is {shape} for {samples} samples, expected a "
                f"multiple of {samples} rows: choose another layer"
            )
        outputs = map_tensors(torch.Tensor.detach, outputs)
        return Replay(self._model, layer, samples, outputs, recorder)


class Replay:
    """Runs what follows one layer of a recorded forward pass, on other outputs of that layer.

    The network must be in evaluation mode and as it was in the recorded pass.

    Attributes:
        layer: name of the layer.
        samples: number of samples in the recorded input.
        outputs: the network's outputs in the recorded pass.
        activation: the layer's output (samples x F, ...), of a tuple the first tensor; F > 1 where
            frames are folded into the first axis.
    """

    def __init__(
        self, model: nn.Module, layer: str, samples: int, outputs: Any, recorder: Recorder
    ) -> None:
        assert recorder.layer_call is not None  # for the type checker; checked by Recording
        self._model, self._recorder, self._layer_call = model, recorder, recorder.layer_call
        self.layer, self.samples, self.outputs = layer, samples, outputs
        self.activation = next(tensors_in(self._layer_call.output))

    def sample_activation(self, sample: int) -> Tensor:
        """The layer's output (F, ...) for one sample."""
        return sample_rows(self.activation, self.samples, sample, 1)

    def sample_outputs(self, sample: int) -> Any:
        """The network's outputs for one sample, as ``rerun`` with its own activation gives them."""
        return map_tensors(lambda t: sample_rows(t, self.samples, sample, 1), self.outputs)

    def rerun(self, activations: Tensor, sample: int) -> Any:
        """The network's outputs with other outputs of the layer.

        Args:
            activations: (B, ...) in place of the layer's output; with folded frames (B x F, ...),
                the F rows of one activation together. They are not changed.
            sample: index of the sample from which everything before the layer is taken.

        Returns:
            The outputs, with B rows.

        Raises:
            UsageError: for a wrong shape or sample, and where the shape of the outputs shows that
                the network does not keep samples on the first axis after the layer.
        """
        batch = self._batch_of(activations, sample)
        replayed = _ReplayedCalls(self._recorder, self._layer_call, self.samples, sample, batch)
        try:
            outputs = self._run(replayed, activations)
        except RuntimeError as error:
            if "view size is not compatible" not in str(error):  # PyTorch's message
                raise
            replayed.share_memory = False
            outputs = self._run(replayed, activations)
        self._check(outputs, batch)
        return outputs

    def _run(self, replayed: _ReplayedCalls, activations: Tensor) -> Any:
        with torch.inference_mode(), replaced_calls(replayed.table(activations)):
            return run_network(self._model, replayed.rows(self._recorder.network_input))

    def _batch_of(self, activations: Tensor, sample: int) -> int:
        rows = len(self.activation) // self.samples
        if activations.shape[1:] != self.activation.shape[1:] or len(activations) % rows:
            expected = (f"a multiple of {rows}", *self.activation.shape[1:])
            raise UsageError(
                f"the activations have shape {tuple(activations.shape)}, the output of layer "
                f"{self.layer!r} has {expected}: give activations of that shape"
            )
        if not 0 <= sample < self.samples:
            raise UsageError(f"sample {sample} is outside 0 ... {self.samples - 1}")
        return len(activations) // rows

    def _check(self, outputs: Any, batch: int) -> None:
        new, old = (next(tensors_in(o), torch.empty(())) for o in (outputs, self.outputs))
        expected = sample_rows(old, self.samples, 0, batch).shape
        if new.shape != expected:
            raise UsageError(
                f"after layer {self.layer!r} the network's output is {tuple(new.shape)} for "
                f"{batch} activations, expected {tuple(expected)}: it does not keep its samples on "
                "the first axis, so choose another layer or a gradient method"
            )


class _ReplayedCalls:
    """The calls of the network's modules in one replay.

    Attributes:
        share_memory: whether the rows of a recorded output, which are all the same, lie in one
            memory. Code that joins the first axis with another by ``view`` needs copies.
    """

    share_memory = True

    def __init__(
        self,
        recorder: Recorder,
        layer_call: RecordedCall,
        samples: int,
        sample: int,
        batch: int,
    ) -> None:
        self._recorder, self._layer_call = recorder, layer_call
        self._samples, self._sample, self._batch = samples, sample, batch

    def table(self, activations: Tensor) -> dict[nn.Module, Call]:
        """The calls to replace: those of recorded modules and of the layer, no others."""
        remaining: dict[nn.Module, list[RecordedCall]] = {}
        for made in reversed(self._recorder.calls):
            remaining.setdefault(made.module, []).append(made)
        calls = {module: self._replayed(module, left) for module, left in remaining.items()}
        calls[self._layer_call.module] = self._layer(activations)
        return calls

    def rows(self, made: RecordedCall) -> Any:
        """The sample's rows of a recorded output, repeated for each activation."""
        return map_tensors(lambda tensor: made.protect(self._rows_of(tensor)), made.output)

    def _rows_of(self, tensor: Tensor) -> Tensor:
        rows = sample_rows(tensor, self._samples, self._sample, self._batch)
        return rows if self.share_memory else strided_like(rows, tensor)

    def _replayed(self, module: nn.Module, remaining: list[RecordedCall]) -> Call:
        call = own_call(module)

        def replayed(*args: Any, **kwargs: Any) -> Any:
            if not remaining:  # this call came after the layer
                return call(*args, **kwargs)
            made = remaining.pop()
            if not made.reusable:
                return call(*args, **kwargs)
            shapes = [tensor.shape for tensor in tensors_in((args, kwargs))]
            if self._is_independent_of_samples(made, shapes):
                return map_tensors(made.protect, made.output)
            return self.rows(made)

        return replayed

    def _is_independent_of_samples(self, made: RecordedCall, shapes: list[torch.Size]) -> bool:
        """Whether the output belongs to no sample, such as a table of position embeddings.

        The inputs of such a call do not grow with the batch, so its output does not either.
        """
        return not shapes or (shapes == made.input_shapes and self._batch != self._samples)

    def _layer(self, activations: Tensor) -> Call:
        made = self._layer_call

        def layer(*args: Any, **kwargs: Any) -> Any:
            given = made.protect(activations)
            if made.in_place_input is not None:  # the caller may use the input that was changed
                given = [*tensors_in((args, kwargs))][made.in_place_input].copy_(given)
            if isinstance(made.output, Tensor):
                return given
            positions = count()
            return map_tensors(
                lambda tensor: given if next(positions) in made.same else tensor, self.rows(made)
            )

        return layer
