"""Which axis of a network's scores is classes, time or places: tests on shapes, then on numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from video_cam.errors import DoesNotFit, UsageError
from video_cam.layers.output_entries import Path, entry_at
from video_cam.layers.output_values import time_is_second_by_a_frame
from video_cam.layers.shape_runs import ShapeRuns
from video_cam.utils.nested import tensors_in


@dataclass(frozen=True)
class HeadSizes:
    """The linear layers and convolutions of one pass.

    Attributes:
        sizes: the number of outputs, and the shape of the output, in the order of execution.
    """

    sizes: tuple[tuple[int, tuple[int, ...]], ...]

    @property
    def last(self) -> int | None:
        """The number of outputs of the one that runs last; None without any."""
        return self.sizes[-1][0] if self.sizes else None

    def includes(self, tensor: Tensor) -> bool:
        """Whether one of them has an output of this shape."""
        return any(shape == tuple(tensor.shape) for _, shape in self.sizes)


def is_one_cell(tensor: Tensor) -> bool:
    """Whether the scores are (N, classes, 1, 1, ...)."""
    return tensor.ndim > 3 and tensor.shape[2:].numel() == 1


def find_axes(
    model: nn.Module,
    x: Any,
    runs: ShapeRuns,
    path: Path,
    tensor: Tensor,
    classes: int | None,
    heads: HeadSizes,
) -> str:
    """The axes of the scores, as ``OutputReading.axes`` names them.

    Args:
        model: the network.
        x: one sample, as its forward takes it.
        runs: of the network for ``x``.
        path, tensor: the way to the scores in the outputs, and the scores for ``x``.
        classes: the number of class names; None where none are given.
        heads: of the pass on ``x``.

    Raises:
        UsageError: where the axes cannot be told apart.
    """
    shape, samples = tuple(tensor.shape), len(next(tensors_in(x)))
    if tensor.ndim == 1:
        return "N" if len(tensor) == samples else "NK"
    is_clear = is_one_cell(tensor) or (tensor.ndim == 2 and heads.includes(tensor))
    if is_clear and shape[0] == samples:
        return "NK"
    in_time = _changed_axes(tensor, runs.with_other_frames(), path)
    if shape[0] != samples:
        in_space = _changed_axes(tensor, runs.with_other_size(), path)
        if tensor.ndim == 2 and in_time == {0} and not in_space and shape[0] % samples == 0:
            return "FK"
        if tensor.ndim > 2:
            raise UsageError(
                f"the network's output is {shape} for an input of {samples}: return scores whose "
                "first axis is that of the clips; of several stages, those of the last one"
            )
        clips = "1 clip" if samples == 1 else f"{samples} clips"
        raise DoesNotFit(f"the network's output is {shape} for {clips}: its first axis is another")
    if tensor.ndim == 2:
        return "NT" if in_time == {1} and shape[1] != classes else "NK"
    in_space = _changed_axes(tensor, runs.with_other_size(), path)
    if tensor.ndim == 3 and not in_space:
        is_second = _time_is_second(shape, in_time, classes, heads)
        if is_second is None:
            is_second = time_is_second_by_a_frame(model, x, path)
        if is_second is None:
            raise _unknown(shape, "which axis is time cannot be told")
        return "NTK" if is_second else "NKT"
    return _axes_of_places(shape, in_time or set(), in_space or set())


def _changed_axes(tensor: Tensor, outputs: Any, path: Path) -> set[int] | None:
    """The axes whose length differs in other outputs; None where these hold nothing to compare."""
    try:
        other = entry_at(outputs, path)
    except (LookupError, AttributeError, TypeError):
        return None
    if not isinstance(other, Tensor) or other.ndim != tensor.ndim:
        return None
    return {i for i in range(tensor.ndim) if other.shape[i] != tensor.shape[i]}


def _time_is_second(
    shape: Sequence[int], in_time: set[int] | None, classes: int | None, heads: HeadSizes
) -> bool | None:
    """Whether (N, a, b) is (N, T, classes); False for (N, classes, T); None where unknown."""
    if in_time in ({1}, {2}):
        return in_time == {1}
    if shape[1] != shape[2]:
        for count in (classes, heads.last):
            if count in shape[1:]:
                return count == shape[2]
        if 1 in shape[1:]:  # the axis of more than one number is the classes
            return shape[1] == 1
    return None


def _axes_of_places(shape: Sequence[int], in_time: set[int], in_space: set[int]) -> str:
    """The axes of scores with four axes or more, or for tokens.

    Places change with the input's size, and time with its frames; tokens of all frames in one axis
    change with both. Axes of one cell hold nothing.
    """
    rest = set(range(1, len(shape))) - in_time - in_space
    long = [axis for axis in rest if shape[axis] > 1]
    if not rest or len(long) > 1 or 0 in in_time | in_space:
        raise _unknown(shape, "which axis is classes cannot be told")
    classes = long[0] if long else min(rest)
    places = iter("HW")
    letters = ["N"]
    for axis in range(1, len(shape)):
        if axis == classes:
            letters.append("K")
        elif shape[axis] == 1:
            letters.append("1")
        else:
            letters.append(next(places, "T") if axis in in_space else "T")
    return "".join(letters)


def _unknown(shape: Sequence[int], reason: str) -> UsageError:
    known = {3: "NTK or NKT", 4: "NKHW", 5: "NKTHW or NTKHW"}.get(len(shape), "NK")
    return UsageError(
        f"the network's output is {tuple(shape)}, and {reason}: give --output-layout {known} (in "
        "Python output_layout=; N clips, K classes, T time, H and W places), or the target as a "
        "function from its output to (N,) scores"
    )
