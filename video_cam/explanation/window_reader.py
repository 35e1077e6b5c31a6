"""The network's inputs: which frames make a window, read from the clip once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from video_cam.config import ExplainConfig
from video_cam.explanation.sampling import Span, Window, grid_length, sample_uniform, sample_windows
from video_cam.models.classifier import Classifier
from video_cam.models.preprocessing import Preprocess
from video_cam.video.reader import Frame
from video_cam.video.timeline import Timeline

Item = TypeVar("Item")


def plan_windows(
    timeline: Timeline, scenes: Sequence[Span], model: Classifier, options: ExplainConfig
) -> list[Window]:
    """The windows that ``options`` ask for, by default with the network's own numbers.

    scenes: parts of the clip in order of time, which no window leaves. All windows are as long.
    """
    rate = options.frame_rate or model.frame_rate
    num_frames = options.num_frames or model.num_frames
    if model.framewise and options.num_frames is None:  # a still image is one frame
        whole = Span(scenes[0].first, scenes[-1].stop)
        uniform = options.sampling == "uniform"
        num_frames = min(num_frames, grid_length(timeline, whole, None if uniform else rate))
    if options.sampling == "uniform":
        return [
            window
            for scene in scenes
            for window in sample_uniform(timeline, scene, num_frames=num_frames)
        ]
    # Frames that are scored one by one are the same in every window.
    step = num_frames if model.framewise else max(num_frames // 2, 1)
    return [
        window
        for scene in scenes
        for window in sample_windows(
            timeline,
            scene,
            num_frames=num_frames,
            frame_rate=rate,
            window_stride=options.window_stride or step,
        )
    ]


def read_windows(
    frames: Iterator[Frame],
    windows: Sequence[Window],
    preprocess: Preprocess,
    note: Callable[[int, np.ndarray], None] = lambda index, frame: None,
) -> Iterator[np.ndarray]:
    """Each window's frames, uint8 (N, height, width, 3), from one reading of the clip.

    A frame is preprocessed once, however many windows share it, and forgotten after the last.
    ``note`` hears of each with its index. Stops early where the clip does.
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
                note(frame.index, held[frame.index])
        yield np.stack([held[index] for index in window.frame_indices])


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of ``size``; the last one may be shorter."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
