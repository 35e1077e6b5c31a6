"""The frames of a clip, one after another."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType

import numpy as np
from av.video.frame import VideoFrame

from video_cam.errors import UsageError
from video_cam.video.color import Orientation, fit, orientation, to_rgb, upright_size
from video_cam.video.container import (
    PathLike,
    VideoSource,
    checked_path,
    nothing_decodes,
    open_video,
)
from video_cam.video.images import is_image, numbered_images, read_image
from video_cam.video.timeline import STILL_SECONDS, Timeline, increasing

Numbered = tuple[int, int, VideoFrame]  # index, ticks, picture


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a clip; its pixels are converted only when `rgb()` asks for them."""

    index: int  # in presentation order, from 0
    pts: int  # ticks from the container's start
    time_base: Fraction  # seconds per tick
    _convert: Callable[[], np.ndarray] = field(repr=False)

    @property
    def pts_seconds(self) -> Fraction:
        return self.pts * self.time_base

    def rgb(self) -> np.ndarray:
        """uint8 (H, W, 3), upright, contiguous, the size of the clip's first frame."""
        return self._convert()


class FrameReader:
    """The frames of a clip in presentation order, one at a time, from `start` up to `stop`.

        with FrameReader(path) as reader:
            for frame in reader:
                ...
        reader.timeline, reader.num_damaged

    start_index, stop_index   the half-open range of frames to hand out; those before are
                              decoded but never converted, those behind not even decoded
    timeline                  the clip's, from `probe`: with it the key frame before the start is
                              sought, and what lies before that is not even decoded

    Iterating raises ClipError if there is no clip or none of its frames decodes. Damaged parts
    are skipped and counted; a file that was cut off gives what is there.
    """

    def __init__(
        self,
        path: PathLike,
        start_index: int = 0,
        stop_index: int | None = None,
        timeline: Timeline | None = None,
    ) -> None:
        if start_index < 0 or (stop_index is not None and stop_index < start_index):
            raise UsageError(
                f"frames [{start_index}, {stop_index}) are no range; give 0 <= start <= stop"
            )
        self.path = path
        self.num_damaged = 0
        self.first_decoded = 0  # the index of the first frame that `timeline` counts
        self._known = timeline
        self._range = (start_index, stop_index)
        self._stamps = array("q")
        self._time_base = STILL_SECONDS
        self._last_duration = 1
        self._running: Generator[Frame, None, None] | None = None

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file, if an iteration has it open."""
        if self._running is not None:
            self._running.close()
            self._running = None

    def __iter__(self) -> Iterator[Frame]:
        self.close()
        self.num_damaged = 0
        self.first_decoded = 0
        self._stamps = array("q")
        self._running = self._frames()
        return self._running

    @property
    def num_decoded(self) -> int:
        """How many frames have come out of the decoder so far, handed out or not."""
        return len(self._stamps)

    @property
    def timeline(self) -> Timeline:
        """The stamps of the frames decoded so far, from frame `first_decoded` on.

        Of the whole clip once an iteration without start or stop is through; then compare it
        with the one that `probe` found. Raises UsageError before the first frame.
        """
        if not self._stamps:
            raise UsageError("no frame has been read yet; iterate the reader first")
        return Timeline.from_stamps(self._stamps, self._time_base, self._last_duration)

    def _frames(self) -> Generator[Frame, None, None]:
        found = checked_path(self.path)
        if found.is_dir():
            yield from self._image_frames(numbered_images(found))
        elif is_image(found):
            yield from self._image_frames([found])
        else:
            yield from self._video_frames()

    def _image_frames(self, images: list[Path]) -> Iterator[Frame]:
        start, stop = self._range
        self._time_base, self._last_duration = STILL_SECONDS, 1
        height, width = read_image(images[0]).shape[:2]
        for index, image in enumerate(images[:stop]):
            self._stamps.append(index)
            if index >= start:
                convert = partial(_image_pixels, image, width, height)
                yield Frame(index, index, STILL_SECONDS, convert)

    def _video_frames(self) -> Iterator[Frame]:
        start, stop = self._range
        self._size: tuple[int, int] | None = None
        turned: Orientation | None = None
        with ExitStack() as open_:
            for index, pts, picture in self._sought(open_) or self._from_the_start(open_):
                if index == stop:
                    return
                turned = turned or orientation(picture)
                size = self._size = self._size or upright_size(picture)
                self._stamps.append(pts)
                self._last_duration = picture.duration
                if index >= start:
                    convert = partial(_pixels, picture, turned, *size)
                    yield Frame(index, pts, self._time_base, convert)
        if not self._stamps:
            raise nothing_decodes(self.path)

    def _from_the_start(self, open_: ExitStack) -> Iterator[Numbered]:
        source = open_.enter_context(open_video(self.path))
        self._time_base, self.first_decoded = source.time_base, 0
        for index, (pts, picture) in enumerate(self._stamped(source)):
            yield index, pts, picture

    def _sought(self, open_: ExitStack) -> Iterator[Numbered] | None:
        """The frames from the first one wanted on; None unless that very one was found."""
        start, _ = self._range
        if self._known is None or not 0 < start < self._known.num_frames:
            return None
        source = open_.enter_context(open_video(self.path))
        wanted = int(self._known.pts[start])
        if source.time_base != self._known.time_base or not source.seek(source.zero_ticks + wanted):
            return None
        self._time_base = source.time_base
        declared = source.declared_size
        stamped = self._stamped(source)
        for pts, picture in stamped:
            if pts == wanted and picture.pts is not None:
                self.first_decoded = start
                # The clip's first frame, which nobody decodes, was as large as the header says.
                turned = upright_size(picture) != (picture.width, picture.height)
                self._size = declared[::-1] if turned else declared
                found = enumerate(chain([(pts, picture)], stamped), start)
                return ((index, pts, picture) for index, (pts, picture) in found)
            if pts > wanted:
                break
        return None

    def _stamped(self, source: VideoSource) -> Iterator[tuple[int, VideoFrame]]:
        """Frames with their repaired ticks from the container's start."""
        held: deque[VideoFrame] = deque()  # no more than `increasing` looks ahead

        def raw_stamps() -> Iterator[int | None]:
            for picture in source.frames():
                self.num_damaged = source.num_damaged
                held.append(picture)
                yield picture.pts
            self.num_damaged = source.num_damaged

        zero = source.zero_ticks
        for number, pts in enumerate(increasing(raw_stamps(), source.usual_step, start=zero)):
            if number == 0:
                zero = min(zero, pts)
            yield pts - zero, held.popleft()


def _pixels(picture: VideoFrame, turned: Orientation, width: int, height: int) -> np.ndarray:
    return fit(to_rgb(picture, turned), width, height)


def _image_pixels(image: Path, width: int, height: int) -> np.ndarray:
    return fit(read_image(image), width, height)


def read_frames(
    path: PathLike, start_index: int = 0, stop_index: int | None = None
) -> Iterator[Frame]:
    """The frames [start_index, stop_index) of a clip; see `FrameReader`, which tells more."""
    with FrameReader(path, start_index, stop_index) as reader:
        yield from reader
