"""Write a copy of a clip that browsers play, with the source's frames and time stamps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from video_cam.config import LimitsConfig
from video_cam.errors import ClipError
from video_cam.video.audio import AudioError, AudioTrack, SoundSpan
from video_cam.video.clip import Clip
from video_cam.video.color import RGBImage
from video_cam.video.container import VideoSource, ffmpeg_url, open_video
from video_cam.video.reader import Frame
from video_cam.video.writer import VideoFormat, VideoWriter

# 8 bits and halved chroma resolution: the variants of these codecs that all browsers decode.
PLAYED_CODECS = {"h264", "vp9", "av1"}
PLAYED_FORMATS = {"yuv420p", "yuvj420p"}
WEBM_CODECS = {"vp8", "vp9", "av1"}
KEYFRAME_SECONDS = 1  # between the frames a browser can seek to, where the copy is encoded


class BrowserCopy:
    """Frames of a clip as ``<folder>/clip.mp4`` or ``clip.webm``.

        with BrowserCopy(clip, folder, (0, 250)) as copy, clip.frames(0, 250) as frames:
            for frame in frames:
                copy.write(frame, frame.rgb())
        copy.path, copy.start_seconds

    The source's own packets are copied where browsers play them and all time stamps survive
    (``is_remuxed``, after entering the block); otherwise the frames given to ``write`` are encoded.
    Nothing else of the source is carried over: no titles, comments, places, chapters, attachments
    or data streams.

    Args:
        clip: the source.
        folder: an existing folder.
        span: the source frames [start, stop) that the copy must show.

    Attributes:
        path: of the copy.
        start_seconds: the source's time that is time 0 in the copy.
        width, height: pixels as encoded: odd sizes are padded on the right and at the bottom.
    """

    def __init__(self, clip: Clip, folder: Path, span: tuple[int, int]) -> None:
        self._clip, self._span = clip, span
        self.path = folder / "clip.mp4"
        self.width, self.height = clip.info.width, clip.info.height
        self.start_seconds = Fraction(0)
        self._writer: VideoWriter | None = None

    @property
    def is_remuxed(self) -> bool:
        """Whether the packets are the source's own."""
        return self._writer is None

    def __enter__(self) -> BrowserCopy:
        # Browsers do not deinterlace.
        if self._clip.info.is_interlaced or not (self._remux_webm() or self._remux()):
            self._writer = self._encoder()
            self._writer.__enter__()
            self.width += self.width % 2
            self.height += self.height % 2
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.__exit__(kind, error, trace)

    def write(self, frame: Frame, rgb: RGBImage) -> None:
        """Add the span's next frame, whose pixels are ``rgb``; without effect if remuxed."""
        if self._writer is not None:
            start = round(self.start_seconds / self._clip.timeline.time_base)
            duration = self._clip.timeline.duration_ticks(frame.index)
            self._writer.write(rgb, frame.pts - start, duration)

    def _open_source(self) -> AbstractContextManager[VideoSource]:
        clip = self._clip
        return open_video(clip.path, clip.limits, video_stream=clip.info.video_stream)

    @property
    def _is_whole(self) -> bool:
        return self._span == (0, self._clip.timeline.num_frames)

    def _sound(self) -> SoundSpan:
        end = None if self._is_whole else self._clip.timeline.frame_end_seconds(self._span[1] - 1)
        return SoundSpan(self._clip.path, self.start_seconds, end, self._clip.limits)

    def _remux_webm(self) -> bool:
        """Copy all packets of picture and sound if the file is a webm and all of it is wanted."""
        source, target = self._clip.path, self.path.with_suffix(".webm")
        if Path(source).suffix.lower() != ".webm" or not self._is_whole:
            return False
        try:
            with self._open_source() as video:
                moves_stamps = video.zero_ticks or self._clip.info.num_jumps
                if not _is_played(video.stream, WEBM_CODECS) or moves_stamps:
                    return False
                _write_webm(video, target)
            return self._accept(target)
        except (av.FFmpegError, ClipError, ValueError):
            return self._reject(target)

    def _remux(self) -> bool:
        """Copy the packets of the span if browsers play their codec."""
        if Path(self._clip.path).is_dir() or self._clip.info.is_still:
            return False
        try:
            with self._open_source() as video:
                if not _is_played(video.stream, PLAYED_CODECS):
                    return False
                self.start_seconds = self._first_key_frame_seconds(video)
            self._write_packets()
            return self._accept(self.path)
        except (av.FFmpegError, AudioError, ClipError, ValueError):
            return self._reject(self.path)

    def _first_key_frame_seconds(self, video: VideoSource) -> Fraction:
        """Where the copy starts: at the last key frame that is not after the span's start."""
        if self._is_whole:
            return Fraction(0)
        first = int(self._clip.timeline.pts[self._span[0]]) + video.zero_ticks
        stamps = [p.pts for p in video.packets() if p.is_keyframe and p.pts is not None]
        ticks = max((stamp for stamp in stamps if stamp <= first), default=video.zero_ticks)
        return (ticks - video.zero_ticks) * video.time_base

    def _write_packets(self) -> None:
        decoding_stamps = iter(self._decoding_stamps())
        with ExitStack() as stack:
            video = stack.enter_context(self._open_source())
            output = stack.enter_context(_open_mp4(self.path))
            stream = output.add_stream_from_template(video.stream)
            sound = AudioTrack(self._sound(), output, stack)
            begin = self._begin_ticks(video)
            for packet in self._span_packets(video):
                packet.pts, packet.dts = (packet.pts or 0) - begin, next(decoding_stamps) - begin
                packet.stream = stream
                for audio_packet in sound.packets_until(packet.dts * packet.time_base):
                    output.mux(audio_packet)
                output.mux(packet)
            for audio_packet in sound.packets_until(None):
                output.mux(audio_packet)

    def _decoding_stamps(self) -> list[int]:
        """When each packet of the span is to be decoded, in ticks: not all containers say.

        The presentation stamps in rising order, moved back so that no packet is shown before it
        is decoded.
        """
        with self._open_source() as video:
            presented = [packet.pts for packet in self._span_packets(video)]
        if None in presented or not presented:
            raise ValueError("packets without stamps cannot be copied")
        stamps = np.array(presented, dtype=np.int64)
        rising = np.sort(stamps)
        return (rising - (rising - stamps).max()).tolist()

    def _begin_ticks(self, video: VideoSource) -> int:
        """The stamp in the source that becomes 0 in the copy."""
        return video.zero_ticks + round(self.start_seconds / video.time_base)

    def _span_packets(self, video: VideoSource) -> Iterator[Packet[VideoStream]]:
        """The packets that the span needs: from its key frame to the last frame shown."""
        begin, last = self._begin_ticks(video), int(self._clip.timeline.pts[self._span[1] - 1])
        has_begun = self._is_whole
        for packet in video.packets():
            has_begun = has_begun or packet.pts == begin
            is_after = packet.dts is not None and packet.dts - video.zero_ticks > last
            if is_after and not self._is_whole:
                return
            if has_begun:
                yield packet

    def _accept(self, path: Path) -> bool:
        """Keep the file if it shows every frame of the span at its time, upright and unscaled."""
        copy, source = Clip.open(path, self._clip.limits), self._clip
        first, stop = self._span
        wanted = [source.timeline.pts_seconds(i) - self.start_seconds for i in range(first, stop)]
        shown = {copy.timeline.pts_seconds(i) for i in range(copy.timeline.num_frames)}
        has_more = self._is_whole and copy.timeline.num_frames != stop - first
        is_same_shape = (copy.info.width, copy.info.height, copy.info.sample_aspect_ratio) == (
            source.info.width,
            source.info.height,
            source.info.sample_aspect_ratio,
        )
        is_exact = not has_more and is_same_shape and shown.issuperset(wanted)
        if not is_exact or not _durations_fit(path, wanted[-1], source.limits):
            return self._reject(path)
        self.path = path
        return True

    def _reject(self, path: Path) -> bool:
        path.unlink(missing_ok=True)
        self.start_seconds = Fraction(0)
        return False

    def _encoder(self) -> VideoWriter:
        info, timeline = self._clip.info, self._clip.timeline
        if not self._is_whole:
            self.start_seconds = timeline.pts_seconds(self._span[0])
        video_format = VideoFormat(
            info.width,
            info.height,
            time_base=timeline.time_base,
            frame_rate=info.frame_rate,
            sample_aspect_ratio=info.sample_aspect_ratio,
            keyframe_interval=max(1, round(info.frame_rate * KEYFRAME_SECONDS)),
            buffers=self._clip.buffers,
        )
        return VideoWriter(self.path, video_format, self._sound() if info.has_audio else None)


def is_encoded(clip: Clip) -> bool:
    """Whether a copy of the clip needs an encoder, as far as its codec tells."""
    if Path(clip.path).is_dir() or clip.info.is_still or clip.info.is_interlaced:
        return True
    with open_video(clip.path, clip.limits, video_stream=clip.info.video_stream) as video:
        return not _is_played(video.stream, PLAYED_CODECS | WEBM_CODECS)


def _write_webm(video: VideoSource, path: Path) -> None:
    """Write the packets of a webm's picture and best sound to a new webm."""
    sound = video.container.streams.best("audio")
    sources = [video.stream, sound] if isinstance(sound, AudioStream) else [video.stream]
    with av.open(ffmpeg_url(path), "w", format="webm") as output:
        streams = {source.index: output.add_stream_from_template(source) for source in sources}
        for packet in video.container.demux(sources):
            if packet.size and not packet.is_corrupt:
                packet.stream = streams[packet.stream.index]
                output.mux(packet)


def _open_mp4(path: Path) -> OutputContainer:
    return av.open(
        ffmpeg_url(path), "w", format="mp4", container_options={"movflags": "+faststart"}
    )


def _durations_fit(path: Path, last_seconds: Fraction, limits: LimitsConfig) -> bool:
    """Whether each packet's duration, up to the last frame's, is the time to the next frame.

    Browsers rely on the durations when they seek, and show a wrong frame if they are wrong: an
    mp4 stores the time between decoding stamps, which differs for B-frames with uneven stamps.
    Where a duration is missing browsers take the mean.
    """
    with open_video(path, limits, num_threads=1) as video:
        last = round(last_seconds / video.time_base) + video.zero_ticks
        packets = [
            (packet.pts, packet.duration or 0)
            for packet in video.packets()
            if packet.pts is not None and packet.pts <= last
        ]
    stamps, durations = np.array(sorted(packets)).T
    gaps = np.diff(stamps)
    assumed = np.where(durations[:-1] > 0, durations[:-1], gaps.mean() if gaps.size else 0)
    return bool((np.abs(assumed - gaps) <= np.maximum(gaps / 4, 1)).all())


def _is_played(stream: VideoStream, codecs: set[str]) -> bool:
    context = stream.codec_context
    return context.codec.canonical_name in codecs and context.pix_fmt in PLAYED_FORMATS
