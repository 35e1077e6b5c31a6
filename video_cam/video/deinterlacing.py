"""Deinterlace frames whose two fields were taken at different times, with FFmpeg's filter.

Each interlaced frame gives one frame, at its time: the lines of its first field stay as they are,
and those between them are interpolated from the frame itself, the one before and the one after.
Other frames stay as they are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import cast

from av.error import EOFError as FFmpegEOFError
from av.filter import Filter, Graph
from av.filter.context import FilterContext
from av.filter.filter import filters_available
from av.video.frame import VideoFrame

FILTERS = ("bwdif", "yadif")  # the better one first
# One frame for each one; only those that are marked as interlaced.
OPTIONS = "mode=send_frame:deint=interlaced"


def deinterlacing_filter() -> str | None:
    """The name of FFmpeg's filter, None where PyAV's FFmpeg was built without one."""
    return next((name for name in FILTERS if name in filters_available), None)


class Deinterlacer:
    """Deinterlaces the frames of one stream from its first interlaced frame on.

    Attributes:
        first_pts: of the first frame that it was given, whose frame before is not known to it; None
            before any.
        has_met_any: whether a frame was interlaced so far, also where there is no filter.
    """

    def __init__(self, time_base: Fraction) -> None:
        """Prepare for frames whose stamps count in ``time_base`` seconds."""
        self.first_pts: int | None = None
        self.has_met_any = False
        self._time_base = time_base
        self._graph: _FilterGraph | None = None

    def frames(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """The same number of frames with the same stamps."""
        name = deinterlacing_filter()
        for frame in frames:
            self.has_met_any = self.has_met_any or frame.interlaced_frame
            if self._graph is not None and not self._graph.takes(frame):
                yield from self._graph.finish()
                self._graph = None
            if self._graph is None and frame.interlaced_frame and name is not None:
                self._graph = _FilterGraph(name, frame, self._time_base)
                self.first_pts = frame.pts
            if self._graph is None:
                yield frame
            else:
                yield from self._graph.push(frame)
        if self._graph is not None:
            yield from self._graph.finish()


class _FilterGraph:
    """FFmpeg's filter for frames of one size and format."""

    def __init__(self, name: str, frame: VideoFrame, time_base: Fraction) -> None:
        self._shape = _shape(frame)
        # Stamp and duration of the frames that are in the filter, which counts in other ticks.
        self._inside: deque[tuple[int | None, int]] = deque()
        self._time_base = time_base
        self._graph = Graph()
        self._source = self._graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=time_base
        )
        deinterlacing = self._graph.add(Filter(name), OPTIONS)
        self._sink: FilterContext = self._graph.add("buffersink")
        self._source.link_to(deinterlacing)
        deinterlacing.link_to(self._sink)
        self._graph.configure()

    def takes(self, frame: VideoFrame) -> bool:
        return _shape(frame) == self._shape

    def push(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """Give it a frame; the frames that are ready."""
        self._inside.append((frame.pts, frame.duration))
        self._source.push(frame)
        yield from self._ready()

    def finish(self) -> Iterator[VideoFrame]:
        """The frames that are still inside."""
        self._source.push(None)
        yield from self._ready()

    def _ready(self) -> Iterator[VideoFrame]:
        while self._inside:
            try:
                frame = cast(VideoFrame, self._sink.pull())
            except (BlockingIOError, FFmpegEOFError):
                return
            frame.pts, frame.duration = self._inside.popleft()
            frame.time_base = self._time_base
            yield frame
            del frame


def _shape(frame: VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name
