"""Read the frames of a clip one after another."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import chain
from types import TracebackType

import numpy as np
from av.video.frame import VideoFrame

from video_cam.config import LimitsConfig
from video_cam.errors import UsageError
from video_cam.utils.files import StrPath
from video_cam.video.color import RGBImage
from video_cam.video.container import VideoSource, open_video
from video_cam.video.levels import Levels
from video_cam.video.limits import DEFAULT_LIMITS
from video_cam.video.orientation import Orientation, orientation_of, upright_size
from video_cam.video.paths import checked_path, no_frame_error
from video_cam.video.picture_files import open_pictures
from video_cam.video.picture_source import PictureSource
from video_cam.video.pixels import stored_pixels, video_pixels
from video_cam.video.timeline import STILL_SECONDS, Timeline, repair_stamps

StampedPicture = tuple[int, VideoFrame]  # ticks from the container's start
IndexedPicture = tuple[int, int, VideoFrame]  # frame index first


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
            for frame in reader: ...
        reader.timeline, reader.num_damaged, reader.corrupt_indices

    Packets that cannot be decoded are skipped and counted; frames that decode with errors are
    given and listed; a file that was cut off gives the frames it holds.
    Iterating raises ClipError if the path is no clip or no frame decodes.

    Args:
        path: a file, or a folder of numbered images.
        start_index: the first frame to return; earlier ones are never converted.
        stop_index: one past the last frame to return; None for all. Later ones are not decoded.
        known_timeline: the clip's time stamps from ``probe``. With them, decoding starts at the
            key frame before ``start_index``; None decodes from the beginning.
        limits: how much the file may ask for.
        num_threads: threads for decoding; 0 leaves the number to FFmpeg.
        levels: which stored values are black and white in pictures of more than 8 bits; None to
            find them.
        video_stream: which of the file's, from 0; None for the best.

    Attributes:
        num_damaged: packets met so far that cannot be decoded.
        num_leading: packets before the first frame; see ``VideoSource``.
        first_decoded: index of the first frame in ``timeline``.
        has_interlaced: whether a frame met so far is interlaced.
    """

    def __init__(
        self,
        path: StrPath,
        start_index: int = 0,
        stop_index: int | None = None,
        known_timeline: Timeline | None = None,
        limits: LimitsConfig = DEFAULT_LIMITS,
        num_threads: int = 0,
        levels: Levels | None = None,
        video_stream: int | None = None,
    ) -> None:
        if start_index < 0 or (stop_index is not None and stop_index < start_index):
            raise UsageError(
                f"frames [{start_index}, {stop_index}) are no range; give 0 <= start <= stop"
            )
        self.path = path
        self.num_damaged = self.num_leading = 0
        self.first_decoded = 0
        self.has_interlaced = False
        self._corrupt = array("q")
        self._known_timeline = known_timeline
        self._limits = limits
        self._levels = levels
        self._open = partial(
            open_video, path, limits, num_threads=num_threads, video_stream=video_stream
        )
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
        self.num_damaged = self.num_leading = 0
        self.first_decoded = 0
        self.has_interlaced = False
        self._corrupt = array("q")
        self._stamps = array("q")
        self._running = self._frames()
        return self._running

    @property
    def num_decoded(self) -> int:
        """How many frames were decoded so far, returned or not."""
        return len(self._stamps)

    @property
    def corrupt_indices(self) -> tuple[int, ...]:
        """Indices of the frames met so far of which data are wrong or missing, rising.

        Frames before ``start_index`` are among them from the last undamaged key frame on: what is
        wrong in them is also wrong in the frames that are predicted from them.
        """
        return tuple(self._corrupt)

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
        source = open_pictures(found, self._limits, self._levels)
        yield from self._video_frames() if source is None else self._stored_frames(source)

    def _stored_frames(self, source: PictureSource) -> Iterator[Frame]:
        timeline, (start, stop) = source.timeline, self._range
        count = timeline.num_frames
        start, stop = min(start, count), count if stop is None else min(stop, count)
        self._time_base = timeline.time_base
        self._stamps.extend(timeline.pts[:start].tolist())
        for index, picture in enumerate(source.pictures(start, stop), start):
            pts = int(timeline.pts[index])
            self._stamps.append(pts)
            self._last_duration = timeline.duration_ticks(index)
            convert = partial(stored_pixels, picture, source.size)
            yield Frame(index, pts, self._time_base, convert)

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
                    convert = partial(
                        video_pixels, picture, orientation, size, self._levels, self.path
                    )
                    yield Frame(index, pts, self._time_base, convert)
        if not self._stamps:
            raise no_frame_error(self.path)

    def _decode(self, stack: ExitStack) -> Iterator[IndexedPicture]:
        """All frames from the clip's beginning."""
        source = stack.enter_context(self._open())
        self._time_base, self.first_decoded, self._corrupt = source.time_base, 0, array("q")
        yield from self._indexed(source, self._stamped(source), 0)

    def _decode_from_seek(self, stack: ExitStack) -> Iterator[IndexedPicture] | None:
        """The frames from ``start_index`` on; None if seeking does not lead to exactly that one.

        Where something is damaged from the key frame to there, decoding starts one key frame
        earlier: then what the decoder puts in place of damaged parts is the same as in a reading
        from the clip's beginning.
        """
        start, known = self._range[0], self._known_timeline
        if known is None or not 0 < start < known.num_frames:
            return None
        ticks: int | None = None
        for may_be_damaged in (False, True):
            attempt = stack.enter_context(ExitStack())
            source = attempt.enter_context(self._open())
            target = source.zero_ticks + int(known.pts[start]) if ticks is None else ticks
            if source.time_base != known.time_base or not source.seek(target):
                return None
            found = self._reach_start(source, known, may_be_damaged)
            if found is not None:
                return found
            attempt.close()
            if source.first_ticks is None:
                return None
            ticks = source.first_ticks - 1
        return None

    def _reach_start(
        self, source: VideoSource, known: Timeline, may_be_damaged: bool
    ) -> Iterator[IndexedPicture] | None:
        """The frames from ``start_index`` on of a source that was sought; None without that one.

        With ``may_be_damaged``, frames before it may be damaged after an undamaged key frame.
        """
        self._time_base = source.time_base
        self._corrupt = array("q")
        start, declared = self._range[0], source.declared_size
        wanted, is_damaged, has_key_frame = int(known.pts[start]), False, False
        stamped = self._stamped(source)
        for pts, picture in stamped:
            is_damaged = is_damaged or source.num_damaged > 0 or source.is_corrupt(picture)
            has_key_frame = has_key_frame or (picture.key_frame and not is_damaged)
            if pts == wanted and picture.pts is not None:
                if picture.pts == source.deinterlacer.first_pts:
                    return None  # it takes the frame before to deinterlace it
                if is_damaged and not (may_be_damaged and has_key_frame):
                    return None
                self.first_decoded = start
                # The clip's first frame is not decoded; its size is the one in the header.
                is_turned = upright_size(picture) != (picture.width, picture.height)
                self._size = declared[::-1] if is_turned else declared
                return self._indexed(source, chain([(pts, picture)], stamped), start)
            if pts > wanted:
                return None
            self._note_damage(source, int(np.searchsorted(known.pts, pts)), picture)
        return None

    def _indexed(
        self, source: VideoSource, stamped: Iterable[StampedPicture], first_index: int
    ) -> Iterator[IndexedPicture]:
        for index, (pts, picture) in enumerate(stamped, first_index):
            if index != self._range[1]:
                self._note_damage(source, index, picture)
            yield index, pts, picture

    def _note_damage(self, source: VideoSource, index: int, picture: VideoFrame) -> None:
        if source.is_corrupt(picture):
            self._corrupt.append(index)
        elif picture.key_frame and index <= self._range[0]:
            self._corrupt = array("q")  # no frame of the range is predicted from frames before

    def _stamped(self, source: VideoSource) -> Iterator[StampedPicture]:
        """Frames with their repaired stamps, in ticks from the container's start."""
        held: deque[VideoFrame] = deque()  # at most REORDER_DEPTH + 1 frames

        def raw_stamps() -> Iterator[int | None]:
            for picture in source.frames():
                self.num_damaged, self.num_leading = source.num_damaged, source.num_leading
                self.has_interlaced = source.deinterlacer.has_met_any
                held.append(picture)
                yield picture.pts
            self.num_damaged = source.num_damaged

        zero = source.zero_ticks
        repaired = repair_stamps(raw_stamps(), source.usual_step, start=zero)
        for number, pts in enumerate(repaired):
            if number == 0:
                zero = min(zero, pts)
            yield pts - zero, held.popleft()
