"""Open a video file through FFmpeg and read its packets and frames in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from video_cam.config import LimitsConfig
from video_cam.errors import ClipError
from video_cam.utils.files import StrPath
from video_cam.utils.names import printable_path
from video_cam.video.deinterlacing import Deinterlacer
from video_cam.video.foreign_files import kind_of_file
from video_cam.video.formats import SEEKABLE_FORMATS, TEXT_FORMATS, readable_formats
from video_cam.video.joins import StampJoiner
from video_cam.video.limits import check_count, check_size
from video_cam.video.streams import chosen_stream, is_cover, moving_streams

# A file must not make FFmpeg open other files or network addresses.
THIS_FILE_ONLY = {"protocol_whitelist": "file", "format_whitelist": readable_formats()}
FALLBACK_RATE = Fraction(25)  # frames per second
LARGEST_OPTION = 2**31 - 1  # FFmpeg's options are C's int


def ffmpeg_url(path: StrPath) -> str:
    """The path such that FFmpeg takes it for a file only: no protocol, option, or ``-`` (stdin)."""
    return "file:" + os.fspath(path)


@contextmanager
def open_video(
    path: StrPath, limits: LimitsConfig, *, num_threads: int = 0, video_stream: int | None = None
) -> Iterator[VideoSource]:
    """Open the file's video stream, to be read once.

    Args:
        path: a video file.
        limits: how much the file may ask for.
        num_threads: threads for decoding; 0 leaves the number to FFmpeg.
        video_stream: which one; see ``chosen_stream``.

    Raises:
        ClipError: if the file is no video or its pictures are too large.
        UsageError: if it has no such stream.
    """
    with _open_container(path, limits) as container:
        if container.format.name in TEXT_FORMATS:
            raise ClipError(f"{printable_path(path)}: not a video but a text file")
        stream = chosen_stream(container, path, video_stream)
        context = stream.codec_context
        if context is None:
            raise ClipError(
                f"{printable_path(path)}: FFmpeg has no decoder for its video; convert it"
            )
        check_size(path, context.width, context.height, limits)
        context.options = _pixel_limit(limits)  # later pictures may be larger than the first
        stream.thread_type = "AUTO"
        context.thread_count = num_threads
        yield VideoSource(path, container, stream, limits)


def _open_container(path: StrPath, limits: LimitsConfig) -> InputContainer:
    try:
        return av.open(
            ffmpeg_url(path),
            "r",
            options=_pixel_limit(limits),
            container_options=dict(THIS_FILE_ONLY),
            metadata_errors="replace",
        )
    except (av.FFmpegError, OSError) as error:
        shown = printable_path(path)
        if kind := kind_of_file(Path(path)):
            raise ClipError(f"{shown}: {kind}") from error
        is_foreign = isinstance(error, av.error.InvalidDataError)
        problem = "not a video that FFmpeg can read" if is_foreign else "cannot be opened"
        raise ClipError(f"{shown}: {problem} ({error.strerror})") from error


def _pixel_limit(limits: LimitsConfig) -> dict[str, str]:
    # Decoders also count the padding of their rows, so their limit must be wider.
    return {"max_pixels": str(min(2 * limits.max_pixels + 4096, LARGEST_OPTION))}


def picture_offsets(path: StrPath, limits: LimitsConfig) -> list[Fraction]:
    """How the picture's stamps were moved, in seconds; see ``StampJoiner.offsets``."""
    with open_video(path, limits, num_threads=1) as source:
        for _ in source.packets():
            pass
        return source.joiner.offsets


class VideoSource:
    """The video stream of an open file; its packets or its frames can be read once.

    As in the ffmpeg command, a damaged packet loses its own frames only, and a damaged container
    everything after the damage.

    Attributes:
        container, stream: of PyAV.
        num_damaged: packets that could not be decoded, and containers broken off, so far.
        num_hidden: packets met so far that are decoded but not shown (an mp4's edit list).
        num_leading: packets that are shown before the first frame and not decoded, although they
            are whole: the clip was cut between them and what they are predicted from.
        declared_size: (width, height) in the file's header, in pixels as stored.
        first_ticks: the smaller stamp of the first packet that was read; None before it, or where
            it has none.
        joiner: moves the packets' stamps where they jump.
        deinterlacer: deinterlaces the frames.
    """

    def __init__(
        self, path: StrPath, container: InputContainer, stream: VideoStream, limits: LimitsConfig
    ) -> None:
        self.container = container
        self.stream = stream
        self.num_damaged = 0
        self.num_hidden = 0
        self.num_leading = 0
        self.first_ticks: int | None = None
        self.declared_size = (stream.codec_context.width, stream.codec_context.height)
        self._path = path
        self._limits = limits
        self._num_packets = 0
        self._num_failed = 0
        self._incomplete_pts: set[int | None] = (
            set()
        )  # of packets of which the container lacks data
        self._seek_ticks: int | None = None
        self._first_stamps: list[int] = []  # of the packets shown before the first frame
        self.joiner = StampJoiner(container, self.time_base)
        self.deinterlacer = Deinterlacer(self.time_base)

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

        Computed from the streams' exact times, because the container's start_time is rounded to
        microseconds. Sound before time 0 is a codec's priming, which is not heard, so it counts
        as starting at 0.
        """
        streams = self.container.streams
        pictures = [_start_seconds(s) for s in streams.video if not is_cover(s)]
        sounds = [_start_seconds(s) for s in streams.audio]
        starts = [seconds for seconds in pictures if seconds is not None]
        starts += [max(seconds, Fraction(0)) for seconds in sounds if seconds is not None]
        return round(min(starts, default=Fraction(0)) / self.time_base)

    def seek(self, ticks: int) -> bool:
        """Continue at the last key frame at or before ``ticks``; call it before reading.

        Returns:
            False if the container's seeking is not reliable; then read from the beginning.
        """
        if not SEEKABLE_FORMATS & set(self.container.format.name.split(",")):
            return False
        try:
            self._decode_first_packet()
            self.container.seek(ticks, stream=self.stream, backward=True)
        except av.FFmpegError:
            return False
        self._seek_ticks = ticks
        return True

    def _decode_first_packet(self) -> None:
        """Let the decoder see what only the stream's first packet says; its frame is dropped.

        x264 writes there which version of it made the stream. FFmpeg decodes the streams of old
        versions in another way, and gives wrong pictures where it does not know the version.
        """
        packet = next((one for one in self.container.demux(self.stream) if one.size), None)
        if packet is not None:
            with suppress(av.FFmpegError):  # it is reported where it is read for its frame
                self.stream.codec_context.decode(packet)

    def packets(self) -> Iterator[Packet[VideoStream]]:
        """Packets in file order; empty ones are left out, because they would end the decoding.

        Raises:
            ClipError: for more packets than ``limits.max_frames``.
        """
        # MPEG-TS counts its parts. Where parts are missing in or after a packet, FFmpeg marks the
        # packet before. At a key frame recordings were joined, as a rule, and nothing is missing.
        packet: Packet[VideoStream] | None = None
        is_marked = False
        for following in chain(self.joiner.joined(self._demuxed()), [None]):
            if packet is not None:
                is_join = packet.is_keyframe or (following is not None and following.is_keyframe)
                if is_marked and not is_join:
                    self._incomplete_pts.add(packet.pts)
                is_marked = packet.is_corrupt
                yield packet
            packet = following

    def _demuxed(self) -> Iterator[Packet[VideoStream]]:
        try:
            for packet in self.container.demux(self.stream):
                if packet.size:
                    if not self._num_packets:
                        stamps = (packet.dts, packet.pts)
                        self.first_ticks = min((s for s in stamps if s is not None), default=None)
                    self._num_packets += 1
                    check_count(self._path, self._num_packets, self._limits)
                    self.num_hidden += packet.is_discard
                    yield packet
        except av.FFmpegError:
            self.num_damaged += 1

    def decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        """The frames that are complete with this packet; None stands for the stream's end."""
        try:
            frames = self.stream.codec_context.decode(packet)
        except EOFError:
            return []
        except av.FFmpegError:
            self.num_damaged += 1
            self._num_failed += 1
            return []
        return frames

    def is_corrupt(self, frame: VideoFrame) -> bool:
        """Whether the decoder or the container says that data of the frame are wrong or missing.

        Decoders replace what is wrong by a guess, and give the frame as if it were whole. Those of
        H.264, MPEG-1, 2 and 4, FLV and ProRes say so.
        """
        return frame.is_corrupt or (frame.pts is not None and frame.pts in self._incomplete_pts)

    def frames(self) -> Iterator[VideoFrame]:
        """Every frame that decodes, in presentation order, deinterlaced.

        No reference to a frame is kept, except to the last ones of an interlaced stream.
        """
        return self.deinterlacer.frames(self._all_frames())

    def _all_frames(self) -> Iterator[VideoFrame]:
        num_frames = 0
        for frame in self._frames():
            num_frames += 1
            yield frame
        if num_frames < self._num_packets - self.num_hidden - self._num_failed:
            # With several threads, PyAV drops the good frames that are still in the decoder when
            # a packet at the end of the stream is damaged. A single thread holds none back.
            number = moving_streams(self.container).index(self.stream)
            with open_video(self._path, self._limits, num_threads=1, video_stream=number) as again:
                if self._seek_ticks is not None:
                    again.seek(self._seek_ticks)
                yield from islice(again._frames(), num_frames, None)
                # Several threads also lose the errors of packets near the end.
                self.num_damaged = max(self.num_damaged, again.num_damaged)

    def _frames(self) -> Iterator[VideoFrame]:
        has_frame = False
        for packet in chain(self.packets(), [None]):
            if packet is not None and packet.pts is not None and not has_frame:
                self._first_stamps += [] if packet.is_discard else [packet.pts]
            ready = self.decode(packet)
            if ready and not has_frame:
                has_frame = True
                self._count_leading(ready[0].pts)
            while ready:
                yield ready.pop(0)

    def _count_leading(self, first_pts: int | None) -> None:
        if first_pts is not None and not self.num_damaged:
            self.num_leading = sum(stamp < first_pts for stamp in self._first_stamps)


def _start_seconds(stream: Stream) -> Fraction | None:
    if stream.start_time is None or stream.time_base is None:
        return None
    return stream.start_time * stream.time_base
