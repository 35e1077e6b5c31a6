"""Read the frames of a clip one after another."""

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

import cv2
from av.video.frame import VideoFrame

from video_cam.config import LimitsConfig
from video_cam.errors import UsageError
from video_cam.utils.files import StrPath
from video_cam.video.color import RGBImage, to_rgb
from video_cam.video.container import VideoSource, checked_path, no_frame_error, open_video
from video_cam.video.images import is_image, numbered_images, read_image
from video_cam.video.limits import DEFAULT_LIMITS
from video_cam.video.orientation import Orientation, orientation_of, turn_upright, upright_size
from video_cam.video.timeline import STILL_SECONDS, Timeline, repair_stamps

IndexedPicture = tuple[int, int, VideoFrame]  # frame index, ticks from the container's start


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a clip; its pixels are converted only when ``rgb`` is called.

    Attributes:
        index: position in presentation order, from 0.
        pts: when it appears, in ticks from the container's start.
        time_base: seconds per tick.
    """

    index: int
    pts: int
    time_base: Fraction
    _convert: Callable[[], RGBImage] = field(repr=False)

    @property
    def pts_seconds(self) -> Fraction:
        """When the frame appears, in exact seconds."""
        return self.pts * self.time_base

    def rgb(self) -> RGBImage:
        """The pixels: uint8 (H, W, 3), upright, contiguous, the size of the clip's first frame."""
        return self._convert()


class FrameReader:
    """Iterates over a clip's frames [start_index, stop_index) in presentation order.

        with FrameReader(path) as reader:
            for frame in reader:
                ...
        reader.timeline, reader.num_damaged

    Damaged parts are skipped and counted; a file that was cut off gives the frames it holds.
    Iterating raises ClipError if the path is no clip or no frame decodes.

    Args:
        path: a file, or a folder of numbered images.
        start_index: the first frame to return; earlier ones are never converted.
        stop_index: one past the last frame to return; None for all. Later ones are not decoded.
        known_timeline: the clip's time stamps from ``probe``. With them, decoding starts at the
            key frame before ``start_index``; None decodes from the beginning.
        limits: how much the file may ask for.

    Attributes:
        num_damaged: damaged packets met so far.
        first_decoded: index of the first frame in ``timeline``.
    """

    def __init__(
        self,
        path: StrPath,
        start_index: int = 0,
        stop_index: int | None = None,
        known_timeline: Timeline | None = None,
        limits: LimitsConfig = DEFAULT_LIMITS,
    ) -> None:
        if start_index < 0 or (stop_index is not None and stop_index < start_index):
            raise UsageError(
                f"frames [{start_index}, {stop_index}) are no range; give 0 <= start <= stop"
            )
        self.path = path
        self.num_damaged = 0
        self.first_decoded = 0
        self._known_timeline = known_timeline
        self._limits = limits
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
        """Close the file if an iteration has it open."""
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
        """How many frames were decoded so far, returned or not."""
        return len(self._stamps)

    @property
    def timeline(self) -> Timeline:
        """The stamps of the frames decoded so far, from frame ``first_decoded`` on.

        After a full iteration without start and stop it is the whole clip's, and can be compared
        with the one that ``probe`` found.

        Raises:
            UsageError: before the first frame.
        """
        if not self._stamps:
            raise UsageError("no frame has been read yet; iterate over the reader first")
        return Timeline.from_stamps(self._stamps, self._time_base, self._last_duration)

    def _frames(self) -> Generator[Frame, None, None]:
        found = checked_path(self.path)
        if found.is_dir():
            yield from self._image_frames(numbered_images(found, self._limits))
        elif is_image(found):
            yield from self._image_frames([found])
        else:
            yield from self._video_frames()

    def _image_frames(self, images: list[Path]) -> Iterator[Frame]:
        start, stop = self._range
        self._time_base, self._last_duration = STILL_SECONDS, 1
        height, width = read_image(images[0], self._limits).shape[:2]
        for index, image in enumerate(images[:stop]):
            self._stamps.append(index)
            if index >= start:
                convert = partial(_image_pixels, image, self._limits, (width, height))
                yield Frame(index, index, STILL_SECONDS, convert)

    def _video_frames(self) -> Iterator[Frame]:
        start, stop = self._range
        self._size: tuple[int, int] | None = None
        orientation: Orientation | None = None
        with ExitStack() as stack:
            for index, pts, picture in self._decode_from_seek(stack) or self._decode(stack):
                if index == stop:
                    return
                # Only the first frame is asked: see orientation_of.
                orientation = orientation or orientation_of(picture)
                size = self._size = self._size or upright_size(picture)
                self._stamps.append(pts)
                self._last_duration = picture.duration
                if index >= start:
                    convert = partial(_video_pixels, picture, orientation, size)
                    yield Frame(index, pts, self._time_base, convert)
        if not self._stamps:
            raise no_frame_error(self.path)

    def _decode(self, stack: ExitStack) -> Iterator[IndexedPicture]:
        """All frames from the clip's beginning."""
        source = stack.enter_context(open_video(self.path, self._limits))
        self._time_base, self.first_decoded = source.time_base, 0
        for index, (pts, picture) in enumerate(self._stamped(source)):
            yield index, pts, picture

    def _decode_from_seek(self, stack: ExitStack) -> Iterator[IndexedPicture] | None:
        """The frames from ``start_index`` on; None if seeking does not lead to exactly that one."""
        start, _ = self._range
        known = self._known_timeline
        if known is None or not 0 < start < known.num_frames:
            return None
        source = stack.enter_context(open_video(self.path, self._limits))
        wanted = int(known.pts[start])
        if source.time_base != known.time_base or not source.seek(source.zero_ticks + wanted):
            return None
        self._time_base = source.time_base
        declared = source.declared_size
        stamped = self._stamped(source)
        for pts, picture in stamped:
            if pts == wanted and picture.pts is not None:
                self.first_decoded = start
                # The clip's first frame is not decoded; its size is the one in the header.
                is_turned = upright_size(picture) != (picture.width, picture.height)
                self._size = declared[::-1] if is_turned else declared
                found = enumerate(chain([(pts, picture)], stamped), start)
                return ((index, pts, picture) for index, (pts, picture) in found)
            if pts > wanted:
                break
        return None

    def _stamped(self, source: VideoSource) -> Iterator[tuple[int, VideoFrame]]:
        """Frames with their repaired stamps, in ticks from the container's start."""
        held: deque[VideoFrame] = deque()  # at most REORDER_DEPTH + 1 frames

        def raw_stamps() -> Iterator[int | None]:
            for picture in source.frames():
                self.num_damaged = source.num_damaged
                held.append(picture)
                yield picture.pts
            self.num_damaged = source.num_damaged

        zero = source.zero_ticks
        repaired = repair_stamps(raw_stamps(), source.usual_step, start=zero)
        for number, pts in enumerate(repaired):
            if number == 0:
                zero = min(zero, pts)
            yield pts - zero, held.popleft()


def _video_pixels(picture: VideoFrame, orientation: Orientation, size: tuple[int, int]) -> RGBImage:
    return _resized(turn_upright(to_rgb(picture), orientation), size)


def _image_pixels(image: Path, limits: LimitsConfig, size: tuple[int, int]) -> RGBImage:
    return _resized(read_image(image, limits), size)


def _resized(pixels: RGBImage, size: tuple[int, int]) -> RGBImage:
    """The pixels at (width, height); pictures of one clip may differ in size."""
    width, height = size
    if pixels.shape[:2] == (height, width):
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
