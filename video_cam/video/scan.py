"""Find out what a clip holds from its packets, decoding no more than one frame."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from video_cam.config import LimitsConfig
from video_cam.errors import UsageError
from video_cam.utils.files import StrPath
from video_cam.utils.names import printable_path
from video_cam.video.color import stored_values
from video_cam.video.color_tags import conversion_notes
from video_cam.video.container import VideoSource, open_video
from video_cam.video.image_sequences import sequence_images
from video_cam.video.levels import MAX_SAMPLED, Levels, notes, of_maximum
from video_cam.video.limits import DEFAULT_LIMITS
from video_cam.video.memory import (
    CONVERSION,
    WIDE_CONVERSION,
    Pictures,
    budget_bytes,
    reading_buffers,
)
from video_cam.video.orientation import orientation_of, swaps_axes, upright_size
from video_cam.video.paths import checked_path, no_frame_error
from video_cam.video.picture_files import open_pictures
from video_cam.video.picture_source import PictureSource
from video_cam.video.reader import FrameReader
from video_cam.video.streams import moving_streams
from video_cam.video.timeline import Timeline

# A fragmented mp4 that begins later than this is a part of a clip, such as a DASH segment.
SEGMENT_SECONDS = 1


@dataclass(frozen=True)
class ClipInfo:
    """What a clip is, as a viewer sees it: sizes are upright, after any rotation.

    Attributes:
        path: where the clip is, as it was given.
        width, height: in pixels.
        frame_rate: average frames per second.
        num_frames: how many frames the packets announce.
        duration_seconds: from the first frame's appearance to the last frame's end.
        has_audio: whether there is a sound stream.
        is_still: one picture, not a moving clip.
        sample_aspect_ratio: width of a pixel divided by its height.
        declared_frames: how many frames the header announces, None if it does not say; more than
            ``num_frames`` where the file was cut off.
        decoded_bytes: of one picture as the decoder gives it; 0 for images.
        num_jumps: how many times the time stamps jump; see ``joins``.
        conversions: how the pictures become 8-bit RGB where that is not plain, a line on each.
        problems: what of its pictures is missing where decoding does not tell, a line on each.
        levels: which stored values are black and white in pictures of more than 8 bits.
        is_interlaced: whether the first frame is.
        video_stream: which of the file's video streams it is, from 0; None for FFmpeg's choice.
        num_video_streams: how many the file has, without cover pictures.
    """

    path: str
    width: int
    height: int
    frame_rate: Fraction
    num_frames: int
    duration_seconds: float
    has_audio: bool
    is_still: bool
    sample_aspect_ratio: Fraction = Fraction(1)
    declared_frames: int | None = None
    decoded_bytes: int = 0
    num_jumps: int = 0
    conversions: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    levels: Levels | None = None
    is_interlaced: bool = False
    video_stream: int | None = None
    num_video_streams: int = 1

    @property
    def is_video(self) -> bool:
        """Whether FFmpeg reads it; other clips are images, arrays and DICOM files."""
        return self.decoded_bytes > 0

    @property
    def is_numbered_images(self) -> bool:
        """Whether it is a folder of numbered images, or a sequence of them."""
        return Path(self.path).is_dir() or bool(sequence_images(Path(self.path)))

    @property
    def pictures(self) -> Pictures:
        """What the memory that the clip takes depends on."""
        conversion = WIDE_CONVERSION if self.conversions else CONVERSION
        return Pictures(self.width * self.height, self.decoded_bytes, self.num_frames, conversion)


def probe(
    path: StrPath,
    limits: LimitsConfig = DEFAULT_LIMITS,
    levels: Levels | None = None,
    video_stream: int | None = None,
) -> tuple[ClipInfo, Timeline]:
    """What the clip is and when its frames are shown.

    Reads the packets' time stamps and decodes one frame. Only where packets lack stamps, all
    frames are decoded (without converting their pixels).

    Args:
        path: a file, or a folder of numbered images.
        limits: how much the file may ask for.
        levels: for pictures of more than 8 bits; None to find them.
        video_stream: which of the file's, from 0; None for FFmpeg's choice.

    Raises:
        ClipError: if the path is no clip, or one beyond the limits.
        UsageError: if it has no such stream.
    """
    source = open_pictures(checked_path(path), limits, levels)
    if source is None:
        return _probe_video(path, limits, levels, video_stream)
    if video_stream:
        raise UsageError(
            f"{printable_path(path)}: images have no video stream {video_stream}; leave it out"
        )
    return _info_of(path, source), source.timeline


def read_all(
    path: StrPath, limits: LimitsConfig, num_threads: int, video_stream: int | None = None
) -> FrameReader:
    """A reader that has decoded every frame, without converting its pixels.

    Raises:
        ClipError: as ``probe`` does.
    """
    with FrameReader(
        path, limits=limits, num_threads=num_threads, video_stream=video_stream
    ) as reader:
        for _ in reader:
            pass
    return reader


def _info_of(path: StrPath, source: PictureSource) -> ClipInfo:
    timeline, (width, height) = source.timeline, source.size
    return ClipInfo(
        path=os.fspath(path),
        width=width,
        height=height,
        frame_rate=timeline.frame_rate,
        num_frames=timeline.num_frames,
        duration_seconds=float(timeline.duration_seconds),
        has_audio=False,
        is_still=source.is_still,
        declared_frames=timeline.num_frames,
        conversions=source.conversions,
        problems=source.problems,
        levels=source.levels,
    )


def _probe_video(
    path: StrPath, limits: LimitsConfig, levels: Levels | None, video_stream: int | None
) -> tuple[ClipInfo, Timeline]:
    with open_video(path, limits, num_threads=1, video_stream=video_stream) as source:
        timeline, first = _scan_packets(source, path)
        width, height = upright_size(first)
        decoded_bytes = sum(plane.buffer_size for plane in first.planes)
        if timeline is None:
            pictures = Pictures(width * height, decoded_bytes, limits.max_frames)
            buffers = reading_buffers(os.fspath(path), pictures, budget_bytes(limits))
            timeline = read_all(path, limits, buffers.decoder_threads, video_stream).timeline
        again = partial(open_video, path, limits, num_threads=1, video_stream=video_stream)
        chosen = _levels_of_stream(again, first, levels)
        info = ClipInfo(
            path=os.fspath(path),
            width=width,
            height=height,
            frame_rate=_shown_rate(source.stream, timeline),
            num_frames=timeline.num_frames,
            duration_seconds=float(timeline.duration_seconds),
            has_audio=bool(source.container.streams.audio),
            is_still=timeline.num_frames == 1 and source.container.format.name.endswith("_pipe"),
            sample_aspect_ratio=sample_aspect_ratio(source.stream, first),
            declared_frames=_declared_frames(source, timeline),
            decoded_bytes=decoded_bytes,
            num_jumps=len(source.joiner.offsets),
            conversions=(*conversion_notes(first), *notes(chosen, np.dtype(np.uint16))),
            levels=chosen,
            is_interlaced=first.interlaced_frame,
            video_stream=video_stream,
            num_video_streams=len(moving_streams(source.container)),
        )
    return info, timeline


def _levels_of_stream(
    open_again: Callable[[], AbstractContextManager[VideoSource]],
    first: VideoFrame,
    known: Levels | None,
) -> Levels | None:
    """The levels of a stream of 16-bit gray or RGB, found in its first frames."""
    values = stored_values(first)
    if values is None or known is not None:
        return None if values is None else known
    with open_again() as source:
        frames = islice(source.frames(), 1, MAX_SAMPLED)
        others = [stored_values(frame) for frame in frames]
        maximum = max(int(found.max()) for found in (values, *others) if found is not None)
        return of_maximum(maximum, is_all=False)


def _scan_packets(source: VideoSource, path: StrPath) -> tuple[Timeline | None, VideoFrame]:
    """The timeline of the packets, None if their stamps are unusable, and the first frame."""
    first: VideoFrame | None = None
    stamps = _PacketStamps()
    for packet in source.packets():
        if first is None:
            first = next(iter(source.decode(packet)), None)
        if not packet.is_discard:
            stamps.add(packet)
    if first is None:
        first = next(iter(source.decode(None)), None)
    if first is None:
        raise no_frame_error(path)
    return stamps.timeline(source), first


class _PacketStamps:
    """The time stamps of a stream's packets, collected in file order."""

    def __init__(self) -> None:
        self._shown: list[tuple[int, int]] = []  # (pts, duration) of each packet
        self._last_dts: int | None = None
        self._are_sortable = True

    def add(self, packet: Packet[VideoStream]) -> None:
        """Take the next packet."""
        if packet.pts is None:
            self._are_sortable = False
        else:
            self._shown.append((packet.pts, packet.duration or 0))
        if packet.dts is not None:
            # Where stamps start again in the middle, sorting would mix the two parts.
            if self._last_dts is not None and packet.dts < self._last_dts:
                self._are_sortable = False
            self._last_dts = packet.dts

    def timeline(self, source: VideoSource) -> Timeline | None:
        """The timeline from the container's start; None if stamps are missing or repeated."""
        shown = sorted(self._shown)
        pts = [stamp for stamp, _ in shown]
        if not self._are_sortable or not pts or len(set(pts)) != len(pts):
            return None
        zero = min(source.zero_ticks, pts[0])
        stamps = [stamp - zero for stamp in pts]
        return Timeline.from_stamps(stamps, source.time_base, shown[-1][1])


def sample_aspect_ratio(stream: VideoStream, frame: VideoFrame) -> Fraction:
    ratio = stream.sample_aspect_ratio
    if not ratio or ratio <= 0:
        return Fraction(1)
    return 1 / ratio if swaps_axes(orientation_of(frame)) else ratio


def _shown_rate(stream: VideoStream, timeline: Timeline) -> Fraction:
    """The declared rate where the stamps confirm it (30, not the 30.0009 of rounded stamps)."""
    declared, measured = stream.average_rate, timeline.frame_rate
    return declared if declared and abs(declared / measured - 1) < Fraction(1, 100) else measured


def _declared_frames(source: VideoSource, timeline: Timeline) -> int | None:
    """How many frames the header announces: its count, else its end at the average rate."""
    if source.joiner.offsets:
        return None  # the end that FFmpeg tells is that of stamps that jump
    end_seconds = _declared_end_seconds(source)
    # AVI also counts frames that were dropped during recording.
    count = 0 if source.container.format.name == "avi" else source.stream.frames
    # An mp4 that was cut without encoding also counts the frames that its edit list hides; those
    # after its end are not even read. A fragmented mp4 counts the first fragment's frames only.
    count -= source.num_hidden
    if count < timeline.num_frames:
        return None if end_seconds is None else _frames_until(end_seconds, timeline)
    return timeline.num_frames if _lasts_until(end_seconds, timeline) else count


def _lasts_until(end_seconds: Fraction | None, timeline: Timeline) -> bool:
    """Whether there is no time for another frame before ``end_seconds``."""
    if end_seconds is None or timeline.num_frames == 1:
        return False
    step = int(np.median(np.diff(timeline.pts))) * timeline.time_base
    return timeline.end_seconds > end_seconds - step


def _frames_until(end_seconds: Fraction, timeline: Timeline) -> int:
    """How many frames a clip has that ends at ``end_seconds``, at its average rate."""
    declared = round((end_seconds - timeline.pts_seconds(0)) * timeline.frame_rate)
    # Small differences are imprecision of the header, not a missing part.
    tolerance = max(2, timeline.num_frames // 50)  # 2 % of the frames
    return declared if declared > timeline.num_frames + tolerance else timeline.num_frames


def _declared_end_seconds(source: VideoSource) -> Fraction | None:
    """When the picture ends according to the header, None where that is not known."""
    stream = source.stream
    # Matroska's tag: 00:00:10.333000000
    if clock := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(Fraction, clock.groups())
        return hours * 3600 + minutes * 60 + seconds - source.zero_ticks * source.time_base
    if stream.duration and stream.time_base and _is_fragmented(source):
        # FFmpeg gives the end of the last fragment, or what a header of the whole clip says.
        zero = source.zero_ticks * source.time_base
        return None if zero > SEGMENT_SECONDS else stream.duration * stream.time_base - zero
    if stream.duration and stream.time_base:
        start = (stream.start_time or 0) - source.zero_ticks
        return (start + stream.duration) * stream.time_base
    # With sound, the container's duration may be that of the sound.
    if source.container.duration and not source.container.streams.audio:
        return Fraction(source.container.duration, av.time_base)
    return None


def _is_fragmented(source: VideoSource) -> bool:
    return "mp4" in source.container.format.name.split(",") and not source.stream.frames
