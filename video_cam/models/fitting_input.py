"""The error for a network that does not run on its input: where it failed, and what would fit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import torch
from torch import nn

from video_cam.errors import UsageError, first_line
from video_cam.layers.output_search import find_reading
from video_cam.layers.scores_only import ScoresOnly
from video_cam.layers.shape_runs import ShapeRuns
from video_cam.layers.trace import example
from video_cam.models.input_advice import arguments_advice, channels_advice
from video_cam.models.input_layout import InputLayout, adapt_module, parse_input_layout
from video_cam.utils.code_place import place_in_user_code

# Of published video networks, the most common ones first.
_LAYOUTS = ("NCTHW", "NTCHW", "frames", "list")
_SIZES = (224, 112, 256, 128, 160, 182, 312, 172, 299, 320, 384, 448, 96, 64)
_FRAMES = (16, 8, 32, 64, 4, 10, 12, 13, 20, 24, 30, 5, 40)
_MAX_SECONDS = 10.0  # for all trials together
_DOCS = "docs/your-own-network.md, section 7"

Size = tuple[int, int, int]  # T, H, W


def misfit(module: nn.Module, layout: InputLayout, size: Size, error: UsageError) -> UsageError:
    """The error for a network that does not run on an input of ``size``.

    Other layouts, sizes and numbers of frames are tried on shapes, for at most _MAX_SECONDS.

    Args:
        module: the network itself, whose forward takes a clip as ``layout`` says.
        size: (T, H, W) of the input.
        error: of the run; the network's own error is its cause.

    Returns:
        One line: where the network failed, its message, the shape it was given, and the options
        that fit.
    """
    advice = arguments_advice(module) if layout.factory is None else None
    advice = advice or channels_advice(module, layout.channels, layout.layout, size[0])
    if advice:
        return UsageError(advice)
    failure = _description(layout, size, error)
    if isinstance(module, ScoresOnly):  # it does not run on shapes
        return UsageError(failure)
    options = next(_options_that_fit(module, layout, size), None)
    if options:
        return UsageError(f"{failure}; it works with {options}")
    return UsageError(
        f"{failure}; set --num-frames, --size and --layout-in to what it takes. What is explained "
        f"is a network of a clip of frames; one of features or skeletons is not ({_DOCS})"
    )


def _description(layout: InputLayout, size: Size, error: UsageError) -> str:
    """What happened, without a remedy."""
    cause = error.__cause__
    if cause is None:
        return str(error)
    place = place_in_user_code(cause)
    kind = "" if isinstance(cause, RuntimeError) else f"{type(cause).__name__}: "
    return (
        f"the network does not run on an input of {_input_shape(layout, size)}: "
        f"{f'{place}: ' if place else ''}{kind}{first_line(cause)}"
    )


def _options_that_fit(module: nn.Module, layout: InputLayout, size: Size) -> Iterator[str]:
    """Options with which the network runs and returns class scores, those with fewest first."""
    until = time.monotonic() + _MAX_SECONDS
    for other, frames, side in _trials(layout, size):
        if time.monotonic() > until:
            return
        if other.layout == "NTCHW" and frames == _channels(module):
            continue  # frames that the network would take for channels
        if _runs(module, other, (frames, *side)):
            words = []
            if other != layout:
                words.append(f"--layout-in {other.layout}")
            if frames != size[0]:
                words.append(f"--num-frames {frames}")
            if side != size[1:]:
                words.append(f"--size {side[0]}")
            yield " ".join(words)


def _trials(layout: InputLayout, size: Size) -> Iterator[tuple[InputLayout, int, tuple[int, int]]]:
    """Other inputs: with one thing changed, then with two, then with all three."""
    parsed = map(parse_input_layout, _LAYOUTS)
    others = [replace(layout, layout=one.layout, strides=one.strides) for one in parsed]
    layouts = [layout, *(one for one in others if one != layout)]
    frames = [size[0], *(n for n in _FRAMES if n != size[0])]
    sides = [size[1:], *((n, n) for n in _SIZES if (n, n) != size[1:])]
    several = list(product(layouts, frames, sides))
    changes = [(a != layout) + (b != size[0]) + (c != size[1:]) for a, b, c in several]
    for wanted in (1, 2, 3):
        yield from (one for one, count in zip(several, changes, strict=True) if count == wanted)


def _channels(module: nn.Module) -> int | None:
    """The number of channels that the first convolution takes."""
    counts = (getattr(part, "in_channels", None) for part in module.modules())
    return next((count for count in counts if isinstance(count, int)), None)


def _runs(module: nn.Module, layout: InputLayout, size: Size) -> bool:
    adapted = adapt_module(module, layout)
    x = example(adapted, size)
    if not ShapeRuns(adapted, x).on_shapes:
        return False
    try:
        find_reading(adapted, x)
    except UsageError:
        return False
    return True


def _input_shape(layout: InputLayout, size: Sequence[int]) -> str:
    """The shapes that the network's own forward is given."""
    with torch.device("meta"):
        try:
            packed = layout.pack(torch.empty(1, 3, *size))
        except UsageError:
            return str((1, 3, *size))
    tensors = packed if isinstance(packed, list) else [packed]
    return " and ".join(str(tuple(tensor.shape)) for tensor in tensors)
