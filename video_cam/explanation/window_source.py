"""Where the network's inputs come from: read from the clip here, or prepared by another process.

Decoding a clip takes a processor many times as long as the network takes on a GPU. So processes
without the network may read clips, and send the preprocessed frames to the one that has it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from video_cam.config import ExplainConfig
from video_cam.explanation.sampling import FrameSpan, Window, span_of
from video_cam.explanation.scenes import HardCutDetector, scenes_of
from video_cam.explanation.window_reader import (
    NetworkInput,
    at_rate_of,
    plan_windows,
    read_windows,
)
from video_cam.models.preprocessing import Preprocess
from video_cam.video.clip import Clip
from video_cam.video.source_files import source_digest

MAX_PREPARED_BYTES = 128 * 2**20  # of a clip's frames; a longer clip is read beside the network


class OtherFramesDecoded(Exception):
    """The decoder gives other frames than those that the plan was made for."""


@dataclass(frozen=True)
class Met:
    """What was met while frames were read.

    Attributes:
        num_damaged: packets that could not be decoded.
        corrupt_frames: source indices of corrupt frames.
        cuts: source indices of frames that look like the first after a hard cut.
        has_interlaced: whether a frame is interlaced.
    """

    num_damaged: int
    corrupt_frames: tuple[int, ...]
    cuts: tuple[int, ...]
    has_interlaced: bool


class WindowSource(Protocol):
    """Gives the pixels of windows."""

    def read(self, windows: Mapping[int, Window]) -> Iterator[tuple[int, np.ndarray]]:
        """The number of each window and its frames, uint8 (N, height, width, 3), preprocessed."""

    def met(self) -> Met:
        """What was met, after all windows have been read.

        Raises:
            OtherFramesDecoded: where the file holds other frames than it was said to hold.
        """


class FileSource:
    """Reads windows from the clip, in one pass over their frames."""

    def __init__(self, clip: Clip, span: FrameSpan, preprocess: Preprocess) -> None:
        """Open the clip from the first frame of ``span`` on; ``close`` it afterwards."""
        self._clip, self._span, self._preprocess = clip, span, preprocess
        self._reader = clip.frames(span.first, span.stop)
        self._detector = HardCutDetector()

    def __enter__(self) -> FileSource:
        return self

    def __exit__(self, *error: object) -> None:
        self._reader.close()

    def read(self, windows: Mapping[int, Window]) -> Iterator[tuple[int, np.ndarray]]:
        """The windows in rising order; then the other frames of the span, so that they count."""
        frames = iter(self._reader)
        inputs = read_windows(
            frames, list(windows.values()), self._preprocess, on_frame=self._detector.add
        )
        # A damaged file may end before the last window; ``met`` finds that.
        yield from zip(windows, inputs, strict=False)
        for _ in frames:
            pass

    def met(self) -> Met:
        """What was met; see WindowSource."""
        reader = self._reader
        expected = self._clip.timeline.pts[reader.first_decoded : self._span.stop]
        if not np.array_equal(reader.timeline.pts, expected):
            raise OtherFramesDecoded
        cuts = tuple(self._detector.cuts())
        return Met(reader.num_damaged, reader.corrupt_indices, cuts, reader.has_interlaced)


@dataclass(frozen=True)
class PreparedClip:
    """A clip with the preprocessed frames of all its windows: megabytes, for any process.

    Attributes:
        clip: with the time stamps of the frames that were read.
        digest: of the clip's content, before a frame was read.
        scenes: the parts of the explained span that no window runs across.
        frame_indices: int64 (F,), source indices of the frames, rising.
        pixels: uint8 (F, height, width, 3), preprocessed.
        was_met: what was met while they were read.
        seconds: that reading them took.
    """

    clip: Clip
    digest: str
    scenes: tuple[FrameSpan, ...]
    frame_indices: np.ndarray
    pixels: np.ndarray
    was_met: Met
    seconds: float

    def read(self, windows: Mapping[int, Window]) -> Iterator[tuple[int, np.ndarray]]:
        """The windows in their order; see WindowSource."""
        row_of = {int(index): row for row, index in enumerate(self.frame_indices)}
        for number, window in windows.items():
            yield number, self.pixels[[row_of[index] for index in window.frame_indices]]

    def met(self) -> Met:
        """What was met; see WindowSource."""
        return self.was_met


def prepare_clip(
    clip: Clip, network: NetworkInput, config: ExplainConfig, max_bytes: int = MAX_PREPARED_BYTES
) -> PreparedClip | None:
    """Read and preprocess the frames of all windows of a clip, without the network.

    Args:
        max_bytes: that the frames may take.

    Returns:
        The frames; None for a clip whose frames would take more.

    Raises:
        UsageError: for wrong times.
        ClipError: where the clip cannot be read.
    """
    try:
        return _prepared(clip, network, config, max_bytes)
    except OtherFramesDecoded:
        # Damaged and unusual files hold other frames than their packets announce.
        return _prepared(clip.decoded(), network, config, max_bytes)


def _prepared(
    clip: Clip, network: NetworkInput, config: ExplainConfig, max_bytes: int
) -> PreparedClip | None:
    began = time.perf_counter()
    digest = source_digest(clip.path)
    span = span_of(clip.timeline, config.start, config.end)
    scenes = scenes_of(clip, span, config)
    planned = plan_windows(clip.timeline, scenes, at_rate_of(clip, network), config)
    windows = dict(enumerate(planned))
    wanted = sorted({index for window in windows.values() for index in window.frame_indices})
    height, width = network.preprocess.crop
    if len(wanted) * height * width * 3 > max_bytes:
        return None
    pixels: dict[int, np.ndarray] = {}
    with FileSource(clip, span, network.preprocess) as source:
        for number, frames in source.read(windows):
            pixels |= zip(windows[number].frame_indices, frames, strict=True)
        met = source.met()
    return PreparedClip(
        clip=clip,
        digest=digest,
        scenes=scenes,
        frame_indices=np.array(wanted),
        pixels=np.stack([pixels[index] for index in wanted]),
        was_met=met,
        seconds=time.perf_counter() - began,
    )
