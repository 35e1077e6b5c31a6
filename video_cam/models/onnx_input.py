"""The input of an ONNX network, as its file describes it: defaults, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from video_cam.config import InputConfig
from video_cam.errors import UsageError
from video_cam.models.input_layout import parse_input_layout

# ONNX Runtime's names of the types of tensors -> PyTorch's.
DTYPES = {
    "tensor(float)": torch.float32,
    "tensor(float16)": torch.float16,
    "tensor(double)": torch.float64,
    "tensor(uint8)": torch.uint8,
    "tensor(int32)": torch.int32,
    "tensor(int64)": torch.int64,
    "tensor(bool)": torch.bool,
}
STORED = 255.0  # the largest value of pictures as they are stored
_OF_CLIPS = (torch.float32, torch.float16, torch.float64, torch.uint8)
_CHANNELS = {"gray": 1, "flow": 2}  # of other kinds of clips there are 3
_ADVICE = {1: "add --channels gray", 2: "add --channels flow", 3: "give --channels rgb or bgr"}


@dataclass(frozen=True)
class OnnxInput:
    """One input of an ONNX network, or one output.

    Attributes:
        name: in the file.
        shape: the length of each axis; None for one that may have any length.
        kind: ONNX Runtime's name of its type, such as "tensor(float)".
    """

    name: str
    shape: tuple[int | None, ...]
    kind: str

    @classmethod
    def of(cls, described: Any) -> OnnxInput:
        """From what ONNX Runtime says of an input or output."""
        shape = (size if isinstance(size, int) and size > 0 else None for size in described.shape)
        return cls(described.name, tuple(shape), described.type)

    @property
    def dtype(self) -> torch.dtype | None:
        """None for a type that tensors here do not have."""
        return DTYPES.get(self.kind)

    def __str__(self) -> str:
        sizes = ", ".join("any" if size is None else str(size) for size in self.shape)
        return f"{self.name!r} ({sizes}) {self.kind.removeprefix('tensor(').removesuffix(')')}"


@dataclass(frozen=True)
class _Reading:
    """How the axes of an input are understood.

    Attributes:
        layout: of ``input_layout.INPUT_LAYOUTS``.
        channels, frames: positions of these axes; None where there is no axis of frames.
        sides: positions of height and width.
    """

    layout: str
    channels: int
    frames: int | None
    sides: tuple[int, int]

    @property
    def channels_last(self) -> bool:
        """Whether the channels are the last axis."""
        return self.channels > self.sides[1]


_CLIPS = (
    _Reading("NCTHW", 1, 2, (3, 4)),
    _Reading("NTCHW", 2, 1, (3, 4)),
    _Reading("NTCHW", 4, 1, (2, 3)),
)
_IMAGES = (_Reading("frames", 1, None, (2, 3)), _Reading("frames", 3, None, (1, 2)))


@dataclass(frozen=True)
class ClipInput:
    """The input that the clip goes to.

    Attributes:
        options: the caller's, with those that follow from the file.
        channels_last: the network takes the channels as the last axis.
    """

    options: InputConfig
    channels_last: bool = False


def clip_input(inputs: Sequence[OnnxInput], options: InputConfig) -> ClipInput:
    """The options that follow from what an ONNX file says of its inputs.

    Args:
        inputs: of the network.
        options: what the caller has given, which has to fit.

    Raises:
        UsageError: where no clip fits, or not with these options.
    """
    several = [*map(str, inputs)]
    is_list = (options.layout or "").startswith("list")
    if len(inputs) != 1 and not is_list and options.input_factory is None:
        raise UsageError(
            f"the network takes {len(inputs)} inputs, {', '.join(several) or 'none'}, and a clip "
            "is one: give --input-factory file.py:function, whose function (clip, path, times) "
            "returns all of them, or --layout-in list:4,1 for a slow and a fast pathway"
        )
    if options.input_factory is not None:
        return ClipInput(options)
    if is_list:
        return _pathways(inputs, options)
    [one] = inputs
    _check_rank(one)
    reading = _read(one, options)
    options = _with_sizes(one, reading, options)
    return ClipInput(_with_dtype(one, options), reading.channels_last)


def _pathways(inputs: Sequence[OnnxInput], options: InputConfig) -> ClipInput:
    layout = parse_input_layout(options.layout or "list")
    if len(layout.strides) != len(inputs):
        raise UsageError(
            f"--layout-in {options.layout} gives {len(layout.strides)} pathways, and the network "
            f"takes {len(inputs)}: {', '.join(map(str, inputs))}"
        )
    fastest = layout.strides.index(min(layout.strides))
    one = inputs[fastest]
    _check_rank(one)
    if len(one.shape) != 5:
        raise UsageError(f"--layout-in {options.layout} gives clips, and the input is {one}")
    options = _with_sizes(one, _CLIPS[0], options, min(layout.strides))
    return ClipInput(_with_dtype(one, options))


def _check_rank(one: OnnxInput) -> None:
    if len(one.shape) not in (4, 5):
        raise UsageError(
            f"the network's input is {one}, expected a clip (N, C, T, H, W) or images "
            "(N, C, H, W): export it with such an input, or give --input-factory file.py:function, "
            "which makes its arguments of a clip"
        )


def _read(one: OnnxInput, options: InputConfig) -> _Reading:
    """How the axes are understood: as the caller says, else by which of them has the channels."""
    wanted = _CHANNELS.get(options.channels or "rgb", 3)
    if options.layout is not None:
        return _named(one, options.layout, wanted)
    readings = _CLIPS if len(one.shape) == 5 else _IMAGES
    for known in (wanted, *_ADVICE):
        found = [reading for reading in readings if one.shape[reading.channels] == known]
        if found and known == wanted:
            return found[0]
        if found:
            raise UsageError(
                f"the network takes {known} channel{'s' * (known > 1)} and is given {wanted}, its "
                f"input is {one}: {_ADVICE[known]}"
            )
    stacked = one.shape[1]
    if len(one.shape) == 4 and stacked is not None and stacked % wanted == 0:
        return _Reading("stacked", 1, None, (2, 3))
    if one.shape[1] is None:
        return readings[0]
    raise UsageError(
        f"no axis of the network's input {one} has {wanted} channels: give --channels, or "
        "--input-factory file.py:function, which makes its arguments of a clip"
    )


def _named(one: OnnxInput, layout: str, wanted: int) -> _Reading:
    name = parse_input_layout(layout).layout
    readings = {
        "NCTHW": _CLIPS[0],
        "NTCHW": _CLIPS[1],
        "frames": _IMAGES[0],
        "stacked": _Reading("stacked", 1, None, (2, 3)),
    }
    reading, rank = readings[name], 5 if name.startswith("N") else 4
    known = one.shape[reading.channels] if rank == len(one.shape) else 0
    fits = known is None or (known % wanted == 0 if name == "stacked" else known == wanted)
    if rank != len(one.shape) or not fits:
        raise UsageError(
            f"--layout-in {layout} with {wanted} channels does not fit the network's input {one}: "
            "leave it out, or give another"
        )
    return reading


def _with_sizes(
    one: OnnxInput, reading: _Reading, options: InputConfig, stride: int = 1
) -> InputConfig:
    """The options with the sizes that the file fixes.

    Raises:
        UsageError: where the caller has given other ones.
    """
    frames = None if reading.frames is None else one.shape[reading.frames]
    if reading.layout == "stacked" and one.shape[1] is not None:
        frames = one.shape[1] // _CHANNELS.get(options.channels or "rgb", 3)
    if frames is not None:
        frames = frames * stride + (options.channels == "flow")  # a field is between two frames
    height, width = (one.shape[axis] for axis in reading.sides)
    if frames is not None and options.num_frames not in (None, frames):
        raise _other_size(one, f"--num-frames {options.num_frames}", f"{frames}")
    size = options.size
    if size is not None and (height not in (None, size[0]) or width not in (None, size[1])):
        raise _other_size(one, f"--size {size[0]} {size[1]}", f"{height or 'any'} {width or 'any'}")
    side = height or width
    if size is None and side is not None:
        size = (height or side, width or side)
    return replace(
        options,
        layout=options.layout or reading.layout,
        num_frames=frames or options.num_frames,
        size=size,
    )


def _other_size(one: OnnxInput, given: str, fixed: str) -> UsageError:
    return UsageError(
        f"{given} does not fit the network's input {one}: it takes {fixed}; leave the option out, "
        "or export the network with dynamic axes"
    )


def _with_dtype(one: OnnxInput, options: InputConfig) -> InputConfig:
    """The options with values as they are stored, where the network takes these.

    Raises:
        UsageError: for a dtype that no clip has, and options that do not go with it.
    """
    if one.dtype not in _OF_CLIPS:
        raise UsageError(
            f"the network's input is {one}, expected float, float16, double or uint8: export it "
            "with such an input, or give --input-factory file.py:function, which makes it"
        )
    if one.dtype is not torch.uint8:
        return options
    given = {"--mean": options.mean, "--std": options.std, "--value-range": options.value_range}
    wrong = [
        n
        for n, value in given.items()
        if value is not None and (n, value) != ("--value-range", 255)
    ]
    if wrong:
        raise UsageError(
            f"the network's input {one} takes pictures as they are stored, 0 to 255: leave "
            f"{wrong[0]} out"
        )
    return replace(options, value_range=STORED)
