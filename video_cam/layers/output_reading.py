"""How class scores are read from a network's output: which entry, which axes, which numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.layers.activation_inputs import ActivationInputs
from video_cam.layers.adapted_forward import with_forward
from video_cam.layers.output_entries import Path, entry_at, name_of
from video_cam.layers.outputs import ClassOutput
from video_cam.utils.nested import tensors_in

SCORES, SOFTMAX, SIGMOID, LOG_SOFTMAX = "scores", "softmax", "sigmoid", "log softmax"
_SHOWN_BY = {SOFTMAX: "softmax", LOG_SOFTMAX: "softmax", SIGMOID: "sigmoid"}


@dataclass(frozen=True)
class OutputReading:
    """How class scores are read from a network's output.

    Attributes:
        entry: the way to the tensor with the scores; empty for an output that is this tensor.
        axes: a letter for each axis of the tensor. N: clips; K: classes; T: time; H, W: places;
            1: one cell, which holds nothing; F in place of N: clips times frames, a clip's frames
            together.
        values: SCORES; SOFTMAX or SIGMOID for probabilities that one of these has made, LOG_SOFTMAX
            for their logarithms.
        from_input: whether the scores are what the softmax or sigmoid was given, not what it made.
    """

    entry: Path = ()
    axes: str = "NK"
    values: str = SCORES
    from_input: bool = False

    def __str__(self) -> str:
        entry = f"{name_of(self.entry)!r}" if self.entry else "the output"
        return f"{entry} as ({', '.join(self.axes)})"

    @property
    def scores_places(self) -> bool:
        """Whether the network scores single places, as for segmentation."""
        return bool({"H", "W"} & set(self.axes))

    def read(
        self, outputs: Any, samples: int, inputs: ActivationInputs | None = None
    ) -> ClassOutput:
        """The class scores in the network's outputs for ``samples`` clips.

        Probabilities become scores: what the softmax or sigmoid was given, where ``from_input``;
        else log p after a softmax, log(p / (1 - p)) after a sigmoid. The score of a class in a
        network that scores places is the mean over the places where the class is predicted; over
        all places, where it is predicted nowhere.

        Args:
            inputs: of the pass that made the outputs, where ``from_input``.

        Raises:
            UsageError: where the pass ended in another way than the one that was looked at first.
        """
        tensor, axes = entry_at(outputs, self.entry), self.axes
        if inputs is not None:
            tensor = _given(inputs, tensor, self.values)
        for axis in reversed([i for i, letter in enumerate(axes) if letter == "1"]):
            tensor, axes = tensor.squeeze(axis), axes[:axis] + axes[axis + 1 :]
        if axes[0] == "F":
            tensor, axes = tensor.unflatten(0, (samples, -1)), f"NT{axes[1:]}"
        if axes == "NK" and tensor.ndim > 2:
            tensor = tensor.flatten(1)  # (N, K, 1, 1, 1)
        if tensor.ndim == len(axes) - 1 and "K" in axes:
            # Some networks leave out the axis of a single clip, or of a single class.
            tensor = tensor.unsqueeze(0 if samples == 1 else axes.index("K"))
        if "K" not in axes:
            tensor, axes = tensor.unsqueeze(-1), f"{axes}K"
        scores = self._as_scores(tensor.permute([axes.index(a) for a in "NTHWK" if a in axes]))
        if not self.scores_places:
            return ClassOutput(scores, None, outputs)
        return ClassOutput(*_means_where_predicted(scores.flatten(1, -2)), outputs)

    def _as_scores(self, values: Tensor) -> Tensor:
        if self.values == SCORES or self.from_input:
            return values
        info = torch.finfo(values.dtype)
        logs = values.clamp(min=info.tiny).log()
        if self.values == SOFTMAX:
            return logs
        return logs - (-values.clamp(max=1 - info.eps / 2)).log1p()


def parse_output_layout(text: str) -> tuple[str, str]:
    """The entry and the axes that ``--output-layout`` names.

    Args:
        text: a letter for each axis of the scores, such as NTK; with the name of an entry and a
            colon in front where the network returns several (``verb:NK``).

    Returns:
        The name of the entry, "" without one; and the axes.

    Raises:
        UsageError: for anything else.
    """
    entry, _, axes = text.rpartition(":")
    if re.fullmatch("N[KTHW]*", axes) and "K" in axes and len(set(axes)) == len(axes):
        return entry, axes
    raise UsageError(
        f"unknown output layout {text!r}: give a letter for each axis, N clips, K classes, T time, "
        "H and W places, as in NK, NTK, NKT or NKTHW; with several outputs also the entry, as in "
        "logits:NK"
    )


def adapt_output(module: nn.Module, reading: OutputReading | None) -> nn.Module:
    """A network that shares ``module``'s layers, under their names, and returns a ClassOutput.

    ``module`` itself is not changed. It is returned where there is nothing to read.
    """
    if reading is None:
        return module

    def read(forward: Callable[..., Any], *inputs: Any, **named: Any) -> ClassOutput:
        """The network's own input -> its class scores."""
        samples = len(next(tensors_in((inputs, named))))
        if not reading.from_input:
            return reading.read(forward(*inputs, **named), samples)
        with ActivationInputs() as given:
            outputs = forward(*inputs, **named)
        return reading.read(outputs, samples, given)

    return with_forward(module, "Scored", read)


def centred(scores: Tensor, reading: OutputReading | None) -> Tensor:
    """Scores (N, classes); where they are log p, less their mean over the classes.

    log p is the logit less a number that is the same for all classes. Its difference to the mean
    over the classes is that of the logits.
    """
    if reading is None or reading.values != SOFTMAX or reading.from_input:
        return scores
    return scores - scores.mean(1, keepdim=True)


def with_values(reading: OutputReading, kind: str | None) -> OutputReading:
    """The reading whose scores are shown rightly by ``kind``, of ``choice_names.SCORE_KINDS``.

    The softmax of log p and the sigmoid of log(p / (1 - p)) are p, and so are those of what made
    them. "raw" leaves probabilities as they are; None is the reading's own kind.
    """
    if reading.values == SCORES or kind in (None, _SHOWN_BY[reading.values]):
        return reading
    as_they_are = kind == "raw" or reading.values == LOG_SOFTMAX
    return replace(reading, values=SCORES if as_they_are else kind, from_input=False)


def _given(inputs: ActivationInputs, output: Tensor, values: str) -> Tensor:
    if output not in inputs:
        raise UsageError(
            f"the network's scores came from a {values} when it was loaded, and this time they did "
            "not: return what the softmax or sigmoid is given"
        )
    return inputs[output]


def _means_where_predicted(scores: Tensor) -> tuple[Tensor, Tensor]:
    """For scores (N, places, classes): means (N, classes), and shares of places (N, classes).

    A single class is predicted where its score is above 0.
    """
    if scores.shape[2] == 1:
        predicted = scores.detach() > 0
    else:
        best = scores.detach().argmax(2, keepdim=True)
        predicted = torch.zeros_like(scores, dtype=torch.bool).scatter(2, best, True)
    counts = predicted.sum(1)
    own = (scores * predicted).sum(1) / counts.clamp(min=1)
    means = torch.where(counts > 0, own, scores.mean(1))
    return means, counts.float() / scores.shape[1]
