"""Plan the windows of a clip's scenes, and read their frames in one pass over the clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

import numpy as np

from video_cam.config import ExplainConfig
from video_cam.explanation.rates import lapse_rate
from video_cam.explanation.sampling import (
    FrameSpan,
    Window,
    num_samples,
    sample_uniform,
    sample_windows,
)
from video_cam.models.classifier import Classifier
from video_cam.models.preprocessing import Preprocess
from video_cam.video.clip import Clip
from video_cam.video.reader import Frame
from video_cam.video.timeline import Timeline

Item = TypeVar("Item")


@dataclass(frozen=True)
class NetworkInput:
    """What of a network decides which frames it is given, and what is made of them.

    Attributes:
        num_frames, frame_rate, framewise, preprocess: as in Classifier.
    """

    num_frames: int
    frame_rate: Fraction
    framewise: bool
    preprocess: Preprocess

    @classmethod
    def of(cls, model: Classifier) -> NetworkInput:
        """That of a network."""
        return cls(model.num_frames, model.frame_rate, model.framewise, model.preprocess)


Network = TypeVar("Network", Classifier, NetworkInput)


def at_rate_of(clip: Clip, network: Network) -> Network:
    """The network at the frame rate at which it is given a clip."""
    if network.framewise and clip.info.is_numbered_images:
        # Every picture of a folder is explained, whatever the network's own frame rate.
        return replace(network, frame_rate=clip.info.frame_rate)
    return network


def plan_windows(
    timeline: Timeline,
    scenes: Sequence[FrameSpan],
    model: Classifier | NetworkInput,
    config: ExplainConfig,
) -> list[Window]:
    """The windows that the config asks for; numbers it leaves open are the network's own.

    Args:
        scenes: consecutive spans in order of time. Each window lies within one of them.
        model: as ``at_rate_of`` returns it.

    Returns:
        Windows in order of time, all with the same number of frames.

    Raises:
        UsageError: for numbers below 1.
    """
    whole = FrameSpan(scenes[0].first, scenes[-1].stop)
    is_lapse = lapse_rate(timeline, whole, model.frame_rate, config) is not None
    rate = None if is_lapse else config.frame_rate or model.frame_rate
    num_frames = config.num_frames or model.num_frames
    if model.framewise and config.num_frames is None:
        # Frames that are scored one by one need no padding: a still image is a window of one.
        is_uniform = config.sampling == "uniform"
        num_frames = min(num_frames, num_samples(timeline, whole, None if is_uniform else rate))
    if config.sampling == "uniform":
        return [
            window
            for scene in scenes
            for window in sample_uniform(timeline, scene, num_frames=num_frames)
        ]
    # Overlapping windows would give the same maps of frames that are scored one by one.
    stride = num_frames if model.framewise else max(num_frames // 2, 1)
    return [
        window
        for scene in scenes
        for window in sample_windows(
            timeline,
            scene,
            num_frames=num_frames,
            frame_rate=rate,
            window_stride=config.window_stride or stride,
        )
    ]


def read_windows(
    frames: Iterator[Frame],
    windows: Sequence[Window],
    preprocess: Preprocess,
    on_frame: Callable[[int, np.ndarray], None] = lambda frame_index, frame: None,
) -> Iterator[np.ndarray]:
    """Read the frames of windows in one pass; stops early where the clip does.

    A frame is preprocessed once, however many windows share it, and dropped after the last one.

    Args:
        frames: of the clip, in order.
        windows: in order of time.
        on_frame: called once for each frame of a window, in order, with its source index and its
            preprocessed pixels.

    Yields:
        For each window uint8 (N, height, width, 3), preprocessed.
    """
    wanted = {index for window in windows for index in window.frame_indices}
    held: dict[int, np.ndarray] = {}
    for window in windows:
        held = {index: held[index] for index in held if index >= window.frame_indices[0]}
        while window.frame_indices[-1] not in held:
            frame = next(frames, None)
            if frame is None:
                return
            if frame.index in wanted:
                held[frame.index] = preprocess.frame(frame.rgb())
                on_frame(frame.index, held[frame.index])
        yield np.stack([held[index] for index in window.frame_indices])


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of ``size``; the last list may be shorter."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
