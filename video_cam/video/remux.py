"""Copy a clip's packets into a file that browsers play, with complete tags of its colours.

Browsers decode colours without a tag, or with a part of the tags, each in its own way. So the tags
are written into the packets (the "metadata" bitstream filters of FFmpeg) and into the container:
the matrix with which this project decodes the clip, limited range, and primaries and transfer of
BT.709, whose pixels browsers show as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from video_cam.video.audio import AudioTrack, SoundSpan
from video_cam.video.clip import Clip
from video_cam.video.color import HD_HEIGHT
from video_cam.video.color_tags import FULL_RANGE, tags_of
from video_cam.video.container import VideoSource, ffmpeg_url, open_video

# 8 bits and halved chroma resolution: the variants of these codecs that all browsers decode.
PLAYED_CODECS = {"h264", "vp9", "av1"}
PLAYED_FORMAT = "yuv420p"
WEBM_CODECS = {"vp8", "vp9", "av1"}

BT709, SMPTE170M, LIMITED_RANGE = 1, 6, 1  # FFmpeg's values
MATRICES = {1: "bt709", 5: "bt601", 6: "smpte170", 7: "smpte240"}  # as VP9 names them


def is_played(stream: VideoStream, codecs: set[str]) -> bool:
    """Whether browsers play the stream's packets, and its codec is one of ``codecs``.

    Firefox does not regard the tag of full range, and browsers differ in how they show high dynamic
    range and wide gamut.
    """
    context = stream.codec_context
    is_limited = context.pix_fmt == PLAYED_FORMAT and context.color_range != FULL_RANGE
    is_plain = is_limited and tags_of(context).is_plain
    return is_plain and context.codec.canonical_name in codecs


@dataclass(frozen=True)
class MP4Remux:
    """Writes the packets of a part of a clip as an mp4 that begins at time 0.

    Attributes:
        clip: the source.
        span: the frames [start, stop) that must be in it.
        start_seconds: the source's time that becomes 0: that of the span's key frame.
        sound: what is heard; it starts at ``start_seconds``.
    """

    clip: Clip
    span: tuple[int, int]
    start_seconds: Fraction
    sound: SoundSpan

    def write(self, path: Path) -> None:
        """Write the file.

        Raises:
            ValueError: for packets without stamps.
            av.FFmpegError, AudioError: where something cannot be copied.
        """
        decoding_stamps = iter(self._decoding_stamps())
        with ExitStack() as stack:
            video = stack.enter_context(self._open())
            output = stack.enter_context(_open_mp4(path))
            tagged = _TaggedStream(video.stream, output)
            sound = AudioTrack(self.sound, output, stack)
            begin = self._begin_ticks(video)
            for packet in self._packets(video):
                packet.pts, packet.dts = (packet.pts or 0) - begin, next(decoding_stamps)
                for audio_packet in sound.packets_until(packet.dts * packet.time_base):
                    output.mux(audio_packet)
                output.mux(tagged.packets(packet))
            for audio_packet in sound.packets_until(None):
                output.mux(audio_packet)

    def _open(self) -> AbstractContextManager[VideoSource]:
        stream = self.clip.info.video_stream
        return open_video(self.clip.path, self.clip.limits, num_threads=1, video_stream=stream)

    def _decoding_stamps(self) -> list[int]:
        """When each packet is to be decoded, in ticks of the copy: not all containers say.

        The presentation stamps in rising order, moved back so that no packet is shown before it
        is decoded.
        """
        with self._open() as video:
            begin = self._begin_ticks(video)
            presented = [packet.pts for packet in self._packets(video)]
        if None in presented or not presented:
            raise ValueError("packets without stamps cannot be copied")
        stamps = np.array(presented, dtype=np.int64) - begin
        rising = np.sort(stamps)
        return (rising - (rising - stamps).max()).tolist()

    def _begin_ticks(self, video: VideoSource) -> int:
        """The stamp in the source that becomes 0 in the copy."""
        return video.zero_ticks + round(self.start_seconds / video.time_base)

    def _packets(self, video: VideoSource) -> Iterator[Packet[VideoStream]]:
        """The packets that the span needs: from its key frame to the last frame shown."""
        timeline = self.clip.timeline
        is_whole = self.span == (0, timeline.num_frames)
        begin, last = self._begin_ticks(video), int(timeline.pts[self.span[1] - 1])
        has_begun = is_whole
        for packet in video.packets():
            has_begun = has_begun or packet.pts == begin
            is_after = packet.dts is not None and packet.dts - video.zero_ticks > last
            if is_after and not is_whole:
                return
            if has_begun:
                yield packet


def write_webm(video: VideoSource, path: Path) -> None:
    """Write the packets of a webm's picture and best sound to a new webm."""
    sound = video.container.streams.best("audio")
    with av.open(ffmpeg_url(path), "w", format="webm") as output:
        tagged, heard = _TaggedStream(video.stream, output), None
        sources: list[Stream] = [video.stream]
        if isinstance(sound, AudioStream):
            heard = output.add_stream_from_template(sound)
            sources.append(sound)
        for packet in video.container.demux(sources):
            if not packet.size or packet.is_corrupt:
                continue
            if heard is not None and packet.stream is sound:
                packet.stream = heard
                output.mux(packet)
            else:
                output.mux(tagged.packets(packet))


class _TaggedStream:
    """A stream of an output whose packets are those of a source, with tags of the colours."""

    def __init__(self, source: VideoStream, output: OutputContainer) -> None:
        self._stream = output.add_stream_from_template(source)
        context = self._stream.codec_context
        codec_tag, matrix = context.codec_tag, _matrix(source)
        description = _tag_filter(source.codec_context.codec.canonical_name, matrix)
        self._filter = (
            BitStreamFilterContext(description, source, self._stream) if description else None
        )
        # The filter also set the stream's parameters, to the source's container's code of the codec
        # and to its tags.
        context.codec_tag = codec_tag
        context.color_primaries = context.color_trc = BT709
        context.colorspace, context.color_range = matrix, LIMITED_RANGE

    def packets(self, packet: Packet) -> list[Packet]:
        """The packets to be written in place of one of the source."""
        tagged = [packet] if self._filter is None else self._filter.filter(packet)
        for each in tagged:
            each.stream = self._stream
        return tagged


def _matrix(stream: VideoStream) -> int:
    """The stream's matrix; where it has no tag, the one that it is decoded with here."""
    context = stream.codec_context
    if context.colorspace in MATRICES:
        return context.colorspace
    return BT709 if context.height >= HD_HEIGHT else SMPTE170M


def _tag_filter(codec: str, matrix: int) -> str | None:
    """FFmpeg's bitstream filter that writes the tags into the packets of a codec."""
    common = f"transfer_characteristics=1:matrix_coefficients={matrix}"
    return {
        "h264": f"h264_metadata=colour_primaries=1:{common}:video_full_range_flag=0",
        "av1": f"av1_metadata=color_primaries=1:{common}:color_range=tv",
        "vp9": f"vp9_metadata=color_space={MATRICES[matrix]}:color_range=tv",
    }.get(codec)


def _open_mp4(path: Path) -> OutputContainer:
    # Negative offsets let the first frame be shown at 0 without an edit list that moves it there.
    flags = "+faststart+negative_cts_offsets"
    return av.open(ffmpeg_url(path), "w", format="mp4", container_options={"movflags": flags})
