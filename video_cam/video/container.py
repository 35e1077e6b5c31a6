"""Opening a video file through FFmpeg and taking its packets and frames in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from video_cam.errors import ClipError
from video_cam.video.limits import (
    check_count,
    check_size,
    current,
    is_playlist,
    readable_formats,
)

PathLike = str | os.PathLike[str]

# A file may name neither other files nor an address on the network.
THIS_FILE_ONLY = {"protocol_whitelist": "file", "format_whitelist": readable_formats()}
TEXT_DRAWN_AS_VIDEO = {"tty", "bin", "xbin", "adf", "idf"}  # FFmpeg opens a .txt as moving text
FALLBACK_RATE = Fraction(25)
LARGEST_OPTION = 2**31 - 1  # FFmpeg's options are C's int
# Containers that stamp each packet with when it is shown, and know where key frames are.
SEEKABLE = {"mov", "mp4", "matroska", "webm"}


def named(path: PathLike) -> str:
    """The path on one printable line."""
    text = os.fspath(path)
    return text if text.isprintable() else repr(text)


def checked_path(path: PathLike) -> Path:
    """The path, if something that can be read is there; else ClipError."""
    found = Path(path)
    if not found.exists():
        raise ClipError(f"{named(path)}: no such file or folder; check the path")
    if not found.is_dir() and not found.is_file():
        raise ClipError(f"{named(path)}: not a regular file; copy the clip to one first")
    if found.is_file() and found.stat().st_size == 0:
        raise ClipError(f"{named(path)}: the file is empty; copy or download it again")
    return found


def nothing_decodes(path: PathLike) -> ClipError:
    """The error of a clip without a single frame."""
    return ClipError(f"{named(path)}: no frame can be decoded; the file is damaged or not a video")


def ffmpeg_url(path: PathLike) -> str:
    """The path as FFmpeg takes it for nothing but a file: no protocol, option or `-` for stdin."""
    return "file:" + os.fspath(path)


@contextmanager
def open_video(path: PathLike, *, num_threads: int = 0) -> Iterator[VideoSource]:
    """The file's video, ready to be read once; ClipError where there is none.

    num_threads   how many decode; 0 leaves it to FFmpeg
    """
    try:
        container = av.open(
            ffmpeg_url(path),
            "r",
            options=_pixel_limit(),
            container_options=dict(THIS_FILE_ONLY),
            metadata_errors="replace",
        )
    except (av.FFmpegError, OSError) as error:
        if is_playlist(Path(path)):
            raise ClipError(
                f"{named(path)}: a playlist, which is not followed; give the clips it names"
            ) from error
        is_foreign = isinstance(error, av.error.InvalidDataError)
        problem = "not a video that FFmpeg can read" if is_foreign else "cannot be opened"
        raise ClipError(f"{named(path)}: {problem} ({error.strerror})") from error
    with container:
        if container.format.name in TEXT_DRAWN_AS_VIDEO:
            raise ClipError(f"{named(path)}: not a video but a text file")
        stream = _best_stream(container, path)
        context = stream.codec_context
        if context is None:
            raise ClipError(f"{named(path)}: FFmpeg has no decoder for its video; convert it")
        check_size(named(path), context.width, context.height)
        context.options = _pixel_limit()  # pictures may grow on the way
        stream.thread_type = "AUTO"
        context.thread_count = num_threads
        yield VideoSource(path, container, stream)


def _pixel_limit() -> dict[str, str]:
    # Decoders count the padding of their rows, too, so theirs is the wider limit.
    return {"max_pixels": str(min(2 * current().max_pixels + 4096, LARGEST_OPTION))}


def _best_stream(container: InputContainer, path: PathLike) -> VideoStream:
    """The stream the ffmpeg command would take: the best one that is not a cover picture."""
    best = container.streams.best("video")
    moving = [s for s in container.streams.video if not _is_cover(s)]
    if not moving:
        kind = "only audio" if container.streams.audio else "no video stream"
        raise ClipError(f"{named(path)}: {kind}; a clip needs moving pictures")
    return best if isinstance(best, VideoStream) and best in moving else moving[0]


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


class VideoSource:
    """An open file's video stream: its packets or its frames, as long as they come.

    A damaged packet costs its own frames, a damaged container everything behind the damage,
    as in the ffmpeg command; `num_damaged` counts both. `num_hidden` counts the packets that
    are there to be decoded but not shown.
    """

    def __init__(self, path: PathLike, container: InputContainer, stream: VideoStream) -> None:
        self.container = container
        self.stream = stream
        self.num_damaged = 0
        self.num_hidden = 0
        self._path = path
        self._num_packets = 0
        self._num_failed = 0
        self._sought: int | None = None
        self.declared_size = (stream.codec_context.width, stream.codec_context.height)

    @property
    def time_base(self) -> Fraction:
        """Seconds per tick of the stream's stamps."""
        return self.stream.time_base or 1 / FALLBACK_RATE

    @property
    def usual_step(self) -> int:
        """The declared average frame duration in ticks, at least 1."""
        rate = self.stream.average_rate or self.stream.guessed_rate or FALLBACK_RATE
        return max(1, round(1 / (rate * self.time_base)))

    @property
    def zero_ticks(self) -> int:
        """The container's start in the stream's ticks: the earliest start of sound or picture.

        From the streams' own rationals: the container's start_time is rounded to microseconds.
        Sound stamped before 0 is a codec's run-in that nobody hears, so it moves nothing.
        """
        streams = self.container.streams
        pictures = [_start_seconds(s) for s in streams.video if not _is_cover(s)]
        sounds = [_start_seconds(s) for s in streams.audio]
        starts = [seconds for seconds in pictures if seconds is not None]
        starts += [max(seconds, Fraction(0)) for seconds in sounds if seconds is not None]
        return round(min(starts, default=Fraction(0)) / self.time_base)

    def seek(self, ticks: int) -> bool:
        """Go on at the last key frame at or before ``ticks``; False where that cannot be trusted.

        To be called before anything is read.
        """
        if not SEEKABLE & set(self.container.format.name.split(",")):
            return False
        try:
            self.container.seek(ticks, stream=self.stream, backward=True)
        except av.FFmpegError:
            return False
        self._sought = ticks
        return True

    def packets(self) -> Iterator[Packet[VideoStream]]:
        """Packets in file order, but for those without data: they would end the decoding."""
        try:
            for packet in self.container.demux(self.stream):
                if packet.size:
                    self._num_packets += 1
                    check_count(named(self._path), self._num_packets)
                    self.num_hidden += packet.is_discard
                    yield packet
        except av.FFmpegError:
            self.num_damaged += 1

    def decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        """The frames that become ready with this packet, none if it is damaged.

        None stands for the end of the stream.
        """
        try:
            frames = self.stream.codec_context.decode(packet)
        except EOFError:
            return []
        except av.FFmpegError:
            self.num_damaged += 1
            self._num_failed += 1
            return []
        self.num_damaged += packet is not None and packet.is_corrupt
        return frames

    def frames(self) -> Iterator[VideoFrame]:
        """Every frame that decodes, in presentation order; none is kept once it is handed on."""
        num_frames = 0
        for frame in self._frames():
            num_frames += 1
            yield frame
        if num_frames < self._num_packets - self.num_hidden - self._num_failed:
            # With several threads, PyAV gives up the good frames that wait behind a damaged one
            # at the end of the stream. One thread has none waiting.
            with open_video(self._path, num_threads=1) as again:
                if self._sought is not None:
                    again.seek(self._sought)
                yield from islice(again._frames(), num_frames, None)

    def _frames(self) -> Iterator[VideoFrame]:
        for packet in chain(self.packets(), [None]):
            ready = self.decode(packet)
            while ready:
                yield ready.pop(0)


def _start_seconds(stream: Stream) -> Fraction | None:
    if stream.start_time is None or stream.time_base is None:
        return None
    return stream.start_time * stream.time_base
