"""Advice for a network that does not run on a clip: which option gives it the input it takes."""

from __future__ import annotations

import inspect

from torch import nn


def arguments_advice(module: nn.Module) -> str | None:
    """What to do for a forward that needs several arguments; None for one that needs a single."""
    needed = [
        parameter.name
        for parameter in inspect.signature(module.forward).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    if len(needed) < 2:
        return None
    return (
        f"the network's forward takes {len(needed)} inputs ({', '.join(needed)}), and a clip is "
        "one: give --input-factory file.py:function, whose function (clip, path, times) returns "
        "all of them"
    )


def channels_advice(module: nn.Module, channels: str, layout: str, num_frames: int) -> str | None:
    """Which option fits the first convolution; None where it takes what it is given.

    Args:
        channels: of ``choice_names.CHANNEL_NAMES``.
        layout: as in InputLayout.
        num_frames: frames of one input.
    """
    convolutions = (m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Conv3d))
    first = next(convolutions, None)
    if first is None or not first.in_channels:  # a lazy one takes any number
        return None
    given = {"gray": 1, "flow": 2}.get(channels, 3)
    if layout == "stacked":
        given *= num_frames - (channels == "flow")
    takes = first.in_channels
    if takes == given:
        return None
    return (
        f"the network's first convolution takes {takes} channel{'s'[: takes > 1]} and is given "
        f"{given}: {_advice(takes, isinstance(first, nn.Conv2d))}"
    )


def _advice(takes: int, is_2d: bool) -> str:
    known = {1: "add --channels gray", 2: "add --channels flow", 3: "give --channels rgb or bgr"}
    if takes in known:
        return known[takes]
    if takes == 4:
        return (
            "a fourth channel such as depth comes from a function that adds it, --input-factory "
            "file.py:add with def add(clip, path, times): return torch.cat([clip, "
            "depth(path, times)], 1), where depth gives (N, 1, T, H, W)"
        )
    ways = []
    if is_2d and takes % 2 == 0:
        frames = takes // 2 + 1
        ways.append(f"--channels flow --layout-in stacked --num-frames {frames} (optical flow)")
    if is_2d and takes % 3 == 0:
        ways.append(f"--layout-in stacked --num-frames {takes // 3} (frames side by side)")
    return " or ".join(ways) or "make its arguments in a function of yours, --input-factory"
