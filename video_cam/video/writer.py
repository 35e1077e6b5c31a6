"""Writing an mp4: H.264 with the source's exact stamps, and the source's sound."""

from __future__ import annotations

import math
import os
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from video_cam.errors import ClipError, UsageError, VideoCamError
from video_cam.video.audio import AudioError, AudioTrack
from video_cam.video.container import ffmpeg_url, named

BT709 = 1  # in each of FFmpeg's lists of matrices, primaries and transfer curves
LIMITED_RANGE = 1
# Without B-frames the file order is the order shown: no shifted stamps, no edit list.
X264_OPTIONS = {"preset": "veryfast", "crf": "20", "bf": "0"}
COARSEST_MOVIE_TICK = 1000  # per second; players expect milliseconds or finer


class VideoWriter:
    """An mp4 that plays everywhere (H.264, yuv420p, fast start), written frame by frame.

        with VideoWriter("out.mp4", 340, 256, time_base=tb, frame_rate=fps) as writer:
            writer.write(rgb, pts, duration)

    width, height        pixels of the frames; odd ones are padded by repeating the edge
    time_base            seconds per tick of every pts and duration
    frame_rate           average, for the encoder's rate control alone
    audio_from           a clip whose sound is carried over (see `AudioTrack`), or None
    audio_start_seconds, audio_end_seconds   the span of that sound; its start becomes time 0
    sample_aspect_ratio  a pixel's width over its height
    keyframe_interval    at most so many frames from one that can be jumped to to the next

    The file appears under its name when the block ends well; if it is left by an exception
    (KeyboardInterrupt too) nothing stays. Sound that cannot be carried over does not fail the
    video: `audio_problem` then says what is missing and why, in one line.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        width: int,
        height: int,
        *,
        time_base: Fraction,
        frame_rate: Fraction,
        audio_from: str | None = None,
        audio_start_seconds: Fraction | float = 0,
        audio_end_seconds: Fraction | float | None = None,
        sample_aspect_ratio: Fraction | int = 1,
        keyframe_interval: int = 250,
    ) -> None:
        if width < 1 or height < 1 or time_base <= 0 or frame_rate <= 0:
            raise UsageError(
                f"cannot write {width}x{height} frames at {frame_rate} per second in ticks of "
                f"{time_base} s; each of them must be above 0"
            )
        self.path = Path(path)
        self.audio_problem: str | None = None
        self._size = (width, height)
        self._time_base = Fraction(time_base)
        self._frame_rate = Fraction(frame_rate)
        self._aspect = Fraction(sample_aspect_ratio)
        self._keyframe_interval = keyframe_interval
        self._audio_from = audio_from
        self._audio_start = Fraction(audio_start_seconds)
        self._audio_end = None if audio_end_seconds is None else Fraction(audio_end_seconds)
        self._partial = self.path.with_name(f".{uuid.uuid4().hex[:8]}.part")
        self._stack = ExitStack()
        self._audio: AudioTrack | None = None
        self._last_pts: int | None = None
        self._durations: deque[int] = deque()  # of the frames still inside the encoder
        self._reformatter = VideoReformatter()

    def __enter__(self) -> VideoWriter:
        with self._whole_or_nothing():
            self._start(with_audio=self._audio_from is not None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._abandon()
            return
        with self._whole_or_nothing():
            self._finish()

    def write(self, rgb: np.ndarray, pts: int, duration: int) -> None:
        """Adds a frame, uint8 (H, W, 3), to be shown `duration` ticks from tick `pts` on.

        Each frame shows until the next one's pts; `duration` counts for the last one.
        Raises UsageError if the frame does not fit, VideoCamError if it cannot be written.
        """
        self._check(rgb, pts, duration)
        self._last_pts = pts
        self._durations.append(duration)
        with self._whole_or_nothing():
            self._mux_video(self._stream.encode(self._encodable(rgb, pts)))

    @contextmanager
    def _whole_or_nothing(self) -> Iterator[None]:
        """Removes the partial file on any exception, and explains those of the file system."""
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            self._abandon()
            raise VideoCamError(
                f"{named(self.path)}: cannot be written ({error.strerror})"
            ) from error
        except BaseException:
            self._abandon()
            raise

    def _check(self, rgb: np.ndarray, pts: int, duration: int) -> None:
        width, height = self._size
        if rgb.shape != (height, width, 3) or rgb.dtype != np.uint8:
            raise UsageError(
                f"a frame is {rgb.dtype} {rgb.shape}; it must be uint8 {(height, width, 3)}"
            )
        if pts < 0 or duration < 1 or (self._last_pts is not None and pts <= self._last_pts):
            raise UsageError(
                f"pts {pts} with duration {duration} after pts {self._last_pts}; stamps must "
                "rise from 0 on and durations be at least 1 tick"
            )

    def _encodable(self, rgb: np.ndarray, pts: int) -> VideoFrame:
        """The frame as BT.709 limited-range yuv420p of even size."""
        height, width = rgb.shape[:2]
        if height % 2 or width % 2:
            rgb = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
        )
        frame.pts = pts
        frame.time_base = self._time_base
        return frame

    def _start(self, *, with_audio: bool) -> None:
        self._output = self._stack.enter_context(self._opened())
        self._stream = self._add_video_stream()
        if with_audio:
            self._add_audio()
        try:
            self._output.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            if self._audio is None:
                raise
            self._drop_audio(error)
            self._stack.close()
            self._start(with_audio=False)

    def _opened(self) -> OutputContainer:
        per_second = self._time_base.denominator
        # Edit lists count in the movie's ticks: a multiple of ours, or they would round stamps.
        movie_ticks = per_second * math.ceil(COARSEST_MOVIE_TICK / per_second)
        return av.open(
            ffmpeg_url(self._partial),
            "w",
            format="mp4",
            container_options={"movflags": "+faststart", "movie_timescale": str(movie_ticks)},
        )

    def _add_video_stream(self) -> VideoStream:
        # FFmpeg's rationals have 32 bits.
        stream = self._output.add_stream("libx264", rate=self._frame_rate.limit_denominator(10**5))
        stream.width, stream.height = (size + size % 2 for size in self._size)
        stream.pix_fmt = "yuv420p"
        stream.options = dict(X264_OPTIONS, g=str(self._keyframe_interval))
        stream.time_base = self._time_base
        context = stream.codec_context
        context.time_base = self._time_base
        context.sample_aspect_ratio = self._aspect.limit_denominator(1000)
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE
        return stream

    def _add_audio(self) -> None:
        assert self._audio_from is not None
        try:
            self._audio = AudioTrack(
                self._audio_from, self._output, self._stack, self._audio_start, self._audio_end
            )
        except (AudioError, ClipError, av.FFmpegError, ValueError) as error:
            self._drop_audio(error)

    def _drop_audio(self, error: Exception) -> None:
        reason = error.strerror if isinstance(error, av.FFmpegError) else str(error)
        self.audio_problem = f"the sound was dropped: {reason}"
        self._audio = None

    def _mux_video(self, packets: list[Packet]) -> None:
        for packet in packets:
            packet.duration = self._durations.popleft()
            assert packet.dts is not None
            self._mux_audio(packet.dts * packet.time_base)
            self._output.mux(packet)

    def _mux_audio(self, until_seconds: Fraction | None) -> None:
        if self._audio is None:
            return
        try:
            for packet in self._audio.packets_until(until_seconds):
                self._output.mux(packet)
        except (av.FFmpegError, ValueError) as error:
            self._drop_audio(error)

    def _finish(self) -> None:
        if self._last_pts is None:
            raise UsageError(f"{named(self.path)}: no frame was written; write at least one")
        self._mux_video(self._stream.encode(None))
        self._mux_audio(None)
        if self._audio is not None and self._audio.num_damaged:
            self.audio_problem = f"{self._audio.num_damaged} damaged packets of sound left out"
        self._stack.close()
        self._partial.replace(self.path)

    def _abandon(self) -> None:
        try:
            self._stack.close()
        except (av.FFmpegError, OSError):
            pass  # the file goes anyway, and the first error is the one to be told
        finally:
            self._partial.unlink(missing_ok=True)
