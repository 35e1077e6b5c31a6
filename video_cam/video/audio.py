"""Carry the sound of a source clip over into a video that is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from video_cam.config import LimitsConfig
from video_cam.video.container import open_video, picture_offsets
from video_cam.video.joins import StampJoiner
from video_cam.video.limits import DEFAULT_LIMITS

# Codecs that fit into mp4 and that browsers play, by the names of FFmpeg's decoders.
COPIED_CODECS = {"aac", "aac_fixed", "mp3", "mp3float", "opus", "libopus", "flac"}
LOWEST_MP3_RATE = 16000  # Hz; mp4 does not allow MP3 below it
AAC_RATES = {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000}
DEFAULT_AAC_RATE = 48000  # Hz, for sources whose rate AAC does not have

# Less is not noticed: ITU-R BT.1359-1 has 45 ms for sound that is early, 125 ms for late sound.
LONGEST_LAG_SECONDS = Fraction(45, 1000)


class AudioError(Exception):
    """The source has sound that cannot be carried over; the message gives the reason."""


@dataclass(frozen=True)
class SoundSpan:
    """The part [start_seconds, end_seconds) of a clip's sound.

    Attributes:
        path: the clip.
        start_seconds: where the part begins; it becomes time 0 of the written video.
        end_seconds: where it ends; None for the clip's end.
        limits: how much the clip may ask for.
    """

    path: str
    start_seconds: Fraction = Fraction(0)
    end_seconds: Fraction | None = None
    limits: LimitsConfig = DEFAULT_LIMITS


class AudioTrack:
    """A clip's sound as packets for an output container.

    Packets are copied where mp4 and browsers support their codec, otherwise encoded as AAC.
    Damaged packets are left out. A clip without sound gives no packets.

    Args:
        span: which sound; its start becomes time 0.
        output: the sound stream is added to this container.
        stack: closes the source.

    Attributes:
        num_damaged: packets left out so far.

    Raises:
        AudioError: if the sound's codec is unknown.
        ClipError: if the clip cannot be opened.
    """

    def __init__(self, span: SoundSpan, output: OutputContainer, stack: ExitStack) -> None:
        video = stack.enter_context(open_video(span.path, span.limits))
        self.num_damaged = 0
        self._next: Packet | None = None
        self._ready: Iterator[Packet] = iter(())
        self._container = video.container
        best = self._container.streams.best("audio")
        if not isinstance(best, AudioStream):
            return
        self._source = _checked(best)
        self._joiner = StampJoiner(
            video.container,
            self._source.time_base or video.time_base,
            cache(partial(picture_offsets, span.path, span.limits)),
        )
        zero = video.zero_ticks * video.time_base
        self._shift = zero + span.start_seconds
        self._from = self._shift if span.start_seconds else None
        self._until = None if span.end_seconds is None else zero + span.end_seconds
        self._is_copied = _can_be_copied(self._source.codec_context)
        self._stream = self._add_stream(output)
        self._ready = self._copied() if self._is_copied else self._encoded()

    def packets_until(self, seconds: Fraction | None) -> Iterator[Packet]:
        """The next packets, up to those of time ``seconds`` in the output; None for all."""
        while True:
            if self._next is None:
                self._next = next(self._ready, None)
            packet = self._next
            if packet is None or (seconds is not None and _dts_seconds(packet) > seconds):
                return
            self._next = None
            yield packet

    def _add_stream(self, output: OutputContainer) -> AudioStream:
        if self._is_copied:
            return output.add_stream_from_template(self._source)
        rate = self._source.codec_context.sample_rate
        stream = output.add_stream("aac", rate=rate if rate in AAC_RATES else DEFAULT_AAC_RATE)
        # Not all browsers play more than two channels.
        stream.layout = "mono" if self._source.codec_context.layout.nb_channels == 1 else "stereo"
        return stream

    def _packets(self) -> Iterator[Packet[AudioStream]]:
        """The source's undamaged packets within the span, with increasing stamps."""
        next_stamp: int | None = None
        last_stamp: int | None = None
        for packet in self._joiner.joined(self._container.demux(self._source)):
            if packet.is_corrupt:
                self.num_damaged += 1
                continue
            stamp = packet.pts if packet.pts is not None else packet.dts
            if self._falls_behind(packet, stamp, next_stamp):
                continue
            if stamp is None or (last_stamp is not None and stamp <= last_stamp):
                stamp = next_stamp or 0  # missing or not increasing: directly after the last one
            last_stamp, next_stamp = stamp, stamp + max(1, packet.duration or 0)
            packet.pts = packet.dts = stamp
            if self._until is not None and stamp * packet.time_base >= self._until:
                return
            if self._from is None or next_stamp * packet.time_base > self._from:
                yield packet

    def _falls_behind(self, packet: Packet, stamp: int | None, next_stamp: int | None) -> bool:
        """Whether the sound before a join lasts so long that the packet would be heard too late."""
        if stamp is None or next_stamp is None or not self._joiner.offsets:
            return False
        return (next_stamp - stamp) * packet.time_base > LONGEST_LAG_SECONDS

    def _copied(self) -> Iterator[Packet]:
        for packet in self._packets():
            shift = round(self._shift / packet.time_base)
            packet.pts = packet.dts = (packet.pts or 0) - shift
            packet.stream = self._stream
            yield packet

    def _encoded(self) -> Iterator[Packet]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self.num_damaged += 1
                continue
            for frame in frames:
                if frame.pts is not None and frame.time_base:
                    frame.pts -= round(self._shift / frame.time_base)
                yield from self._stream.encode(frame)
        yield from self._stream.encode(None)


def _checked(stream: AudioStream) -> AudioStream:
    context = stream.codec_context
    if context is None or not context.sample_rate or not context.layout.nb_channels:
        raise AudioError("its codec is unknown or its header damaged")
    return stream


def _can_be_copied(context: AudioCodecContext) -> bool:
    if context.name.startswith("mp3") and context.sample_rate < LOWEST_MP3_RATE:
        return False
    return context.name in COPIED_CODECS


def _dts_seconds(packet: Packet) -> Fraction:
    return (packet.dts or 0) * packet.time_base
