"""The channels that a network takes: colours in one order or the other, grey, or optical flow.

A clip has three channels everywhere else, (N, 3, T, H, W); ``select_channels`` makes of them what
the network takes. A clip of optical flow holds the field from each frame to the next: to the right
in the first channel, down in the second. Its third channel and its last frame hold nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from video_cam.config import InputConfig
from video_cam.utils.devices import sent

LUMA = (0.299, 0.587, 0.114)  # of ITU-R BT.601, as OpenCV and Pillow weight red, green and blue
# Wang et al. 2016 ("Temporal Segment Networks") and the two-stream networks before it store flow
# as pictures: -FLOW_LIMIT ... FLOW_LIMIT pixels from one frame to the next become 0 ... 255.
FLOW_LIMIT = 20.0
MIN_FLOW_SIDE = 12  # pixels; OpenCV's DIS flow refuses smaller pictures
FLOW_MEAN, FLOW_STD = 0.5, 0.5  # no motion becomes 0, and the limits become -1 and 1

Three = tuple[float, float, float]


def select_channels(x: Tensor, channels: str) -> Tensor:
    """What a network takes of a clip (N, 3, T, H, W).

    Args:
        channels: of ``choice_names.CHANNEL_NAMES``.

    Returns:
        "rgb": the clip. "bgr": (N, 3, T, H, W), blue first. "gray": (N, 1, T, H, W), weighted by
        LUMA. "flow": (N, 2, T - 1, H, W).
    """
    if channels == "bgr":
        return x.flip(1)
    if channels == "gray":
        weights = sent(torch.tensor(LUMA, dtype=x.dtype), x.device)
        return (x * weights.reshape(3, 1, 1, 1)).sum(1, keepdim=True)
    if channels == "flow":
        return x[:, :2, :-1]
    return x


def flow_pictures(frames: np.ndarray) -> np.ndarray:
    """Optical flow between consecutive frames, as pictures.

    The flow is OpenCV's DIS (Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search",
    medium preset) of grey frames, in pixels. Longer moves than FLOW_LIMIT count as FLOW_LIMIT.

    Args:
        frames: uint8 (N, T, H, W, 3) RGB.

    Returns:
        float32 (N, T, H, W, 3) in [0, 255]: to the right, down, and 0; the last frame holds 127.5,
        which is no motion.
    """
    pictures = np.zeros(frames.shape, np.float32)
    pictures[..., :2] = 127.5
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    for clip, picture in zip(frames, pictures, strict=True):
        gray = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in clip]
        for index in range(len(gray) - 1):
            none = np.zeros((*gray[index].shape, 2), np.float32)
            field = np.asarray(flow.calc(gray[index], gray[index + 1], none))  # (H, W, 2)
            limited = field.clip(-FLOW_LIMIT, FLOW_LIMIT)
            picture[index, ..., :2] = (limited + FLOW_LIMIT) * (255 / (2 * FLOW_LIMIT))
    return pictures


def normalization(own: tuple[Three, Three], config: InputConfig) -> tuple[Three, Three]:
    """Mean and standard deviation of a clip's three channels.

    Args:
        own: the network's own, for red, green and blue in [0, 1].
        config: what replaces them. Where it has a value range, or the channels are flow, the
            network's own numbers do not apply: mean 0 and standard deviation 1, or FLOW_MEAN and
            FLOW_STD.
    """
    mean, std = own
    if config.channels == "gray":
        mean, std = _thrice(_luma(mean)), _thrice(_luma(std))
    if config.channels == "flow":
        mean, std = (FLOW_MEAN, FLOW_MEAN, 0.0), (FLOW_STD, FLOW_STD, 1.0)
    if config.value_range is not None:
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if config.mean is not None:
        mean = _of_clip(config.mean, config.channels, unused=0.0)
    if config.std is not None:
        std = _of_clip(config.std, config.channels, unused=1.0)
    return mean, std


def _of_clip(values: Sequence[float], channels: str | None, unused: float) -> Three:
    """One number for each channel of the network, as one for each channel of a clip."""
    if channels == "bgr":
        blue, green, red = values
        return red, green, blue
    if channels == "gray":
        return _thrice(values[0])
    if channels == "flow":
        return values[0], values[-1], unused
    red, green, blue = values
    return red, green, blue


def _thrice(value: float) -> Three:
    return value, value, value


def _luma(values: Three) -> float:
    return float(np.dot(LUMA, values))
