"""The sound of the source, carried over into the video that is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from video_cam.video.container import open_video

# Codecs that mp4 holds and browsers play, by the names of FFmpeg's decoders.
COPIED = {"aac", "aac_fixed", "mp3", "mp3float", "opus", "libopus", "flac"}
LOWEST_MP3_RATE = 16000  # below it mp4 has no MP3
AAC_RATES = {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000}
USUAL_RATE = 48000


class AudioError(Exception):
    """The source has sound, but it cannot be carried over; the message says why."""


class AudioTrack:
    """The source's sound as packets for `output`, shifted so that `start_seconds` becomes 0.

    Packets are copied as they are where mp4 and browsers take their codec, else encoded anew
    as AAC. Only the packets that sound in [start_seconds, end_seconds) are taken, and none that
    are damaged (`num_damaged`). The source stays open until the given stack closes. A source
    without sound makes an empty track. Raises AudioError, or ClipError from opening.
    """

    def __init__(
        self,
        path: str,
        output: OutputContainer,
        stack: ExitStack,
        start_seconds: Fraction,
        end_seconds: Fraction | None,
    ) -> None:
        video = stack.enter_context(open_video(path))
        self.num_damaged = 0
        self._next: Packet | None = None
        self._ready: Iterator[Packet] = iter(())
        self._container = video.container
        best = self._container.streams.best("audio")
        if not isinstance(best, AudioStream):
            return
        self._source = _checked(best)
        zero = video.zero_ticks * video.time_base
        self._from = zero + start_seconds if start_seconds else None
        self._until = None if end_seconds is None else zero + end_seconds
        self._shift = zero + start_seconds
        self._is_copied = _can_be_copied(self._source.codec_context)
        self._stream = self._add_stream(output)
        self._ready = self._copied() if self._is_copied else self._encoded()

    def _add_stream(self, output: OutputContainer) -> AudioStream:
        if self._is_copied:
            return output.add_stream_from_template(self._source)
        rate = self._source.codec_context.sample_rate
        stream = output.add_stream("aac", rate=rate if rate in AAC_RATES else USUAL_RATE)
        # Browsers play one and two channels everywhere, more of them not.
        stream.layout = "mono" if self._source.codec_context.layout.nb_channels == 1 else "stereo"
        return stream

    def packets_until(self, seconds: Fraction | None) -> Iterator[Packet]:
        """The packets not taken so far that belong before `seconds` of the output; None: all."""
        while True:
            if self._next is None:
                self._next = next(self._ready, None)
            packet = self._next
            if packet is None or (seconds is not None and _dts_seconds(packet) > seconds):
                return
            self._next = None
            yield packet

    def _packets(self) -> Iterator[Packet[AudioStream]]:
        """The source's undamaged packets within the span, stamped in rising order."""
        next_stamp: int | None = None
        last_stamp: int | None = None
        for packet in self._container.demux(self._source):
            if not packet.size:
                continue
            if packet.is_corrupt:
                self.num_damaged += 1
                continue
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is None or (last_stamp is not None and stamp <= last_stamp):
                stamp = next_stamp or 0  # missing, or started again: it follows on
            last_stamp, next_stamp = stamp, stamp + max(1, packet.duration or 0)
            packet.pts = packet.dts = stamp
            if self._until is not None and stamp * packet.time_base >= self._until:
                return
            if self._from is None or next_stamp * packet.time_base > self._from:
                yield packet

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
    return context.name in COPIED


def _dts_seconds(packet: Packet) -> Fraction:
    return (packet.dts or 0) * packet.time_base
