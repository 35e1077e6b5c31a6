"""What is known about a classifier by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from torch import nn

from video_cam.models.input_layout import AS_IT_IS, Packing
from video_cam.models.preprocessing import Preprocess

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# For image networks. Frames share nothing, so any number and rate will do; these suit a batch and
# a video.
NUM_FRAMES = 16
FRAME_RATE = Fraction(15)


@dataclass(frozen=True)
class Row:
    """What is known about a classifier by its name.

    build: number of classes -> network. pretrained: weight names -> where they come from (a
    torchvision weights entry, a file, or a function that returns a state dict). num_frames and
    frame_rate: what it was trained on. where, when: the layers that tell them best; None for one
    found by its shape. space_first: tokens of one place lie together. unused: prefixes of weights
    that only training needs.
    """

    build: Callable[[int], nn.Module]
    pretrained: dict[str, Any]
    labels: tuple[str, ...]
    num_frames: int
    frame_rate: Fraction
    preprocess: Preprocess
    where: str | None = None
    when: str | None = None
    packing: Packing = AS_IT_IS
    space_first: bool = False
    unused: tuple[str, ...] = ()
