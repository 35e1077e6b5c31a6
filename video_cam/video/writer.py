"""Write an mp4: H.264 video with exact time stamps, and the sound of a source clip."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from video_cam.errors import ClipError, UsageError, VideoCamError
from video_cam.utils.files import StrPath, atomic_path
from video_cam.utils.names import printable_path
from video_cam.video.audio import AudioError, AudioTrack, SoundSpan
from video_cam.video.color import RGBImage, conversion_threads
from video_cam.video.container import ffmpeg_url
from video_cam.video.memory import FASTEST, Buffers

BT709 = 1  # the value in FFmpeg's lists of matrices, primaries and transfer curves alike
LIMITED_RANGE = 1
# Without B-frames, frames are stored in the order shown: no shifted stamps and no edit list.
X264_OPTIONS = {"preset": "veryfast", "bf": "0"}
# x264's macroblock tree reads memory that it did not write: of smaller pictures, up to 6 in 100
# videos of the same frames had other bytes (96x80; 176x144: 1 in 600). Of larger ones none of 1,300
# had, and their files would be 11 % larger without it.
TREE_PIXELS = 320 * 240
MAX_SIDE, MAX_PIXELS = 16384, 8192 * 8192  # that x264 takes; larger frames are scaled down
COARSEST_MOVIE_TICK = 1000  # ticks per second; players expect milliseconds or finer

EncodableFrame = VideoFrame  # of VideoWriter.encodable


@dataclass(frozen=True)
class VideoFormat:
    """Size and timing of a video to be written.

    Attributes:
        width, height: of the frames in pixels; odd sizes are padded by repeating the edge, and
            frames that are too large for H.264 are scaled down.
        time_base: seconds per tick of all time stamps and durations.
        frame_rate: average frames per second, only for the encoder's rate control.
        sample_aspect_ratio: width of a pixel divided by its height.
        keyframe_interval: at most this many frames from one key frame to the next.
        crf: of x264, from 0 to 51: the larger, the fewer bytes and the less quality.
        buffers: the encoder's threads and lookahead.

    Raises:
        UsageError: for a size, time base or rate that is not above 0.
    """

    width: int
    height: int
    time_base: Fraction
    frame_rate: Fraction
    sample_aspect_ratio: Fraction = Fraction(1)
    keyframe_interval: int = 250
    crf: int = 20
    buffers: Buffers = FASTEST

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1 or self.time_base <= 0 or self.frame_rate <= 0:
            raise UsageError(
                f"cannot write {self.width}x{self.height} frames at {self.frame_rate} per second "
                f"in ticks of {self.time_base} s; each of them must be above 0"
            )

    @property
    def drawn_size(self) -> tuple[int, int]:
        """(width, height) of the picture in the video, without padding."""
        scale = min(MAX_SIDE / max(self.width, self.height), 1)
        scale = min(scale, math.sqrt(MAX_PIXELS / (self.width * self.height)))
        return max(int(self.width * scale), 1), max(int(self.height * scale), 1)

    @property
    def encoded_size(self) -> tuple[int, int]:
        """(width, height) of the video: the picture's, padded to even numbers."""
        width, height = self.drawn_size
        return width + width % 2, height + height % 2

    @property
    def size_note(self) -> str | None:
        """One line on frames that are scaled down; None where they are not."""
        width, height = self.drawn_size
        if (width, height) == (self.width, self.height):
            return None
        return (
            f"frames of {self.width}x{self.height} pixels were scaled down to {width}x{height} in "
            f"the video: H.264 takes at most {MAX_SIDE} in a row and {MAX_PIXELS} in a frame"
        )


class VideoWriter:
    """Writes an mp4 that plays everywhere (H.264, yuv420p, fast start), frame by frame.

        format = VideoFormat(340, 256, time_base=Fraction(1, 25), frame_rate=Fraction(25))
        with VideoWriter("out.mp4", format) as writer:
            writer.write(rgb, pts, duration)

    The file appears under its name when the block succeeds; after an exception, KeyboardInterrupt
    included, nothing is left behind.

    Args:
        path: the mp4 to write; its folder must exist.
        video_format: size and timing of the frames.
        sound: the sound to carry over; None for a video without sound.
        durable: as in ``utils.files.atomic_path``.

    Attributes:
        audio_problem: one line on sound that is missing, and why; None if all was carried over.
            Sound that cannot be carried over does not fail the video.
    """

    def __init__(
        self,
        path: StrPath,
        video_format: VideoFormat,
        sound: SoundSpan | None = None,
        *,
        durable: bool = True,
    ) -> None:
        self.path = Path(path)
        self._durable = durable
        self.audio_problem: str | None = None
        self._format = video_format
        self._sound = sound
        self._file = ExitStack()  # holds the temporary file until it is renamed or removed
        self._containers = ExitStack()  # holds the output and the source of the sound
        self._audio: AudioTrack | None = None
        self._last_pts: int | None = None
        self._durations: deque[int] = deque()  # of the frames that are inside the encoder
        self._reformatters = threading.local()  # each has tables, and is not thread-safe

    def __enter__(self) -> VideoWriter:
        with self._removed_on_error():
            self._temporary = self._file.enter_context(
                atomic_path(self.path, durable=self._durable)
            )
            self._open(self._sound)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._remove(error)
            return
        with self._removed_on_error():
            self._finish()

    def write(self, rgb: RGBImage, pts: int, duration: int) -> None:
        """Add a frame, which is shown until the next one's ``pts``.

        Args:
            rgb: uint8 (H, W, 3) of the writer's size.
            pts: when the frame appears, in ticks; above the one before.
            duration: in ticks; decides how long the video's last frame is shown.

        Raises:
            UsageError: if the frame or its time stamp does not fit.
            VideoCamError: if it cannot be written.
        """
        self.write_encodable(self.encodable(rgb), pts, duration)

    def write_encodable(self, frame: EncodableFrame, pts: int, duration: int) -> None:
        """``write`` of a frame that ``encodable`` made."""
        if pts < 0 or duration < 1 or (self._last_pts is not None and pts <= self._last_pts):
            raise UsageError(
                f"pts {pts} with duration {duration} after pts {self._last_pts}; stamps must "
                "increase from 0 on and durations be at least 1 tick"
            )
        self._last_pts = pts
        self._durations.append(duration)
        frame.pts, frame.time_base = pts, self._format.time_base
        with self._removed_on_error():
            self._mux_video(self._stream.encode(frame))

    @contextmanager
    def _removed_on_error(self) -> Iterator[None]:
        """Remove the temporary file on any exception, and explain those of the file system."""
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            self._remove(error)
            raise VideoCamError(
                f"{printable_path(self.path)}: cannot be written ({error.strerror})"
            ) from error
        except BaseException as error:
            self._remove(error)
            raise

    def encodable(self, rgb: RGBImage) -> EncodableFrame:
        """The picture as the encoder takes it: BT.709 limited-range yuv420p of even size.

        May be called by several threads at a time, before the picture's turn to be written.

        Args:
            rgb: uint8 (H, W, 3) of the writer's size.

        Raises:
            UsageError: if the picture does not fit.
        """
        shape = (self._format.height, self._format.width, 3)
        if rgb.shape != shape or rgb.dtype != np.uint8:
            raise UsageError(f"a frame is {rgb.dtype} {rgb.shape}; it must be uint8 {shape}")
        width, height = self._format.drawn_size
        if rgb.shape[:2] != (height, width):
            rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
        if height % 2 or width % 2:
            rgb = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        return self._reformatter().reformat(
            VideoFrame.from_numpy_buffer(np.ascontiguousarray(rgb), format="rgb24"),  # no copy
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            threads=conversion_threads(width * height),
        )

    def _reformatter(self) -> VideoReformatter:
        if not hasattr(self._reformatters, "own"):
            self._reformatters.own = VideoReformatter()
        reformatter: VideoReformatter = self._reformatters.own
        return reformatter

    def _open(self, sound: SoundSpan | None) -> None:
        self._output = self._containers.enter_context(self._open_output())
        self._stream = self._add_video_stream()
        if sound is not None:
            self._add_audio(sound)
        try:
            self._output.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            if self._audio is None:
                raise
            # The container refuses the sound: start again without it.
            self._drop_audio(error)
            self._containers.close()
            self._open(None)

    def _open_output(self) -> OutputContainer:
        per_second = self._format.time_base.denominator
        # Edit lists count in the movie's ticks, so these must be a multiple of the stamps' ticks.
        movie_ticks = per_second * math.ceil(COARSEST_MOVIE_TICK / per_second)
        return av.open(
            ffmpeg_url(self._temporary),
            "w",
            format="mp4",
            container_options={"movflags": "+faststart", "movie_timescale": str(movie_ticks)},
        )

    def _add_video_stream(self) -> VideoStream:
        form = self._format
        # FFmpeg's rationals have 32 bits.
        stream = self._output.add_stream("libx264", rate=form.frame_rate.limit_denominator(10**5))
        stream.width, stream.height = form.encoded_size
        stream.pix_fmt = "yuv420p"
        stream.options = dict(
            X264_OPTIONS,
            g=str(form.keyframe_interval),
            crf=str(form.crf),
            **{"rc-lookahead": str(form.buffers.lookahead)},
        )
        if stream.width * stream.height < TREE_PIXELS:
            stream.options["mbtree"] = "0"
        stream.time_base = form.time_base
        context = stream.codec_context
        context.time_base = form.time_base
        context.thread_count = form.buffers.encoder_threads
        context.sample_aspect_ratio = form.sample_aspect_ratio.limit_denominator(1000)
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE
        return stream

    def _add_audio(self, sound: SoundSpan) -> None:
        try:
            self._audio = AudioTrack(sound, self._output, self._containers)
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
            raise UsageError(
                f"{printable_path(self.path)}: no frame was written; write at least one"
            )
        self._mux_video(self._stream.encode(None))
        self._mux_audio(None)
        if self._audio is not None and (damaged := self._audio.num_damaged):
            packets = "packet" if damaged == 1 else "packets"
            self.audio_problem = f"{damaged} damaged {packets} of sound left out"
        self._containers.close()
        self._file.close()

    def _remove(self, error: BaseException) -> None:
        with suppress(av.FFmpegError, OSError):  # the first error is the one to report
            self._containers.close()
        self._file.__exit__(type(error), error, error.__traceback__)


def write_clip(path: Path, frames: np.ndarray, frame_rate: Fraction) -> None:
    """Write frames as a video of a constant rate.

    Args:
        path: of the file, H.264 in a container by its suffix.
        frames: uint8 (T, H, W, 3) RGB.
        frame_rate: in frames per second.
    """
    height, width = frames.shape[1:3]
    with VideoWriter(path, VideoFormat(width, height, 1 / frame_rate, frame_rate)) as writer:
        for index, frame in enumerate(frames):
            writer.write(frame, index, 1)
