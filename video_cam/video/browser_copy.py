"""A copy of a clip that browsers play, frame for frame with the source's stamps."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from video_cam.errors import ClipError
from video_cam.video.audio import AudioError, AudioTrack
from video_cam.video.container import VideoSource, ffmpeg_url, open_video
from video_cam.video.reader import Frame
from video_cam.video.scan import ClipInfo, probe
from video_cam.video.timeline import Timeline
from video_cam.video.writer import VideoWriter

# Eight bits and halved colour: what every browser decodes of these codecs.
PLAYED_CODECS = {"h264", "vp9", "av1"}
PLAYED_FORMATS = {"yuv420p", "yuvj420p"}
WEBM_CODECS = {"vp8", "vp9", "av1"}
KEYFRAME_SECONDS = 1  # between the frames a browser can jump to, where the copy is encoded anew


class CleanCopy:
    """The frames ``span`` of a clip as ``<folder>/clip.mp4`` or ``clip.webm``.

        with CleanCopy("v.mkv", folder, info, timeline, (0, 250)) as copy:
            for frame in frames:
                copy.write(frame, rgb)
        copy.path, copy.start_seconds

    The source's own packets are taken where browsers play them and where all the stamps in
    ``timeline`` survive (``is_remuxed``); else the frames that are written are encoded.
    start_seconds    the source's time that is 0 in the copy
    width, height    pixels as encoded: odd sizes are padded on the right and below
    """

    def __init__(
        self, source: str, folder: Path, info: ClipInfo, timeline: Timeline, span: tuple[int, int]
    ) -> None:
        self._source, self._info, self._timeline, self._span = source, info, timeline, span
        self.path = folder / "clip.mp4"
        self.width, self.height = info.width, info.height
        self.start_seconds = Fraction(0)
        self._writer: VideoWriter | None = None

    @property
    def is_remuxed(self) -> bool:
        """Whether the packets are the source's own."""
        return self._writer is None

    def __enter__(self) -> CleanCopy:
        if not (self._copy_file() or self._remux()):
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

    def write(self, frame: Frame, rgb: np.ndarray) -> None:
        """Take the next frame, whose pixels are ``rgb``."""
        if self._writer is not None:
            start = round(self.start_seconds / self._timeline.time_base)
            duration = self._timeline.duration_ticks(frame.index)
            self._writer.write(rgb, frame.pts - start, duration)

    @property
    def _is_whole(self) -> bool:
        return self._span == (0, self._timeline.num_frames)

    @property
    def _end_seconds(self) -> Fraction:
        last = self._span[1] - 1
        ticks = int(self._timeline.pts[last]) + self._timeline.duration_ticks(last)
        return ticks * self._timeline.time_base

    def _copy_file(self) -> bool:
        """A whole webm is taken as it is."""
        source = Path(self._source)
        if source.suffix.lower() != ".webm" or not self._is_whole:
            return False
        with open_video(source) as video:
            if not _is_played(video.stream, WEBM_CODECS) or video.zero_ticks:
                return False
        target = self.path.with_suffix(".webm")
        shutil.copyfile(source, target)
        return self._accept(target)

    def _remux(self) -> bool:
        if Path(self._source).is_dir() or self._info.is_still:
            return False
        try:
            with open_video(self._source) as video:
                if not _is_played(video.stream, PLAYED_CODECS):
                    return False
                self.start_seconds = self._cut_seconds(video)
            self._write_packets()
            return self._accept(self.path)
        except (av.FFmpegError, AudioError, ClipError, ValueError):
            return self._refuse(self.path)

    def _cut_seconds(self, video: VideoSource) -> Fraction:
        """Where the copy starts: at the last packet to jump to that is not behind the span."""
        if self._is_whole:
            return Fraction(0)
        first = int(self._timeline.pts[self._span[0]]) + video.zero_ticks
        stamps = [p.pts for p in video.packets() if p.is_keyframe and p.pts is not None]
        ticks = max((stamp for stamp in stamps if stamp <= first), default=video.zero_ticks)
        return (ticks - video.zero_ticks) * video.time_base

    def _write_packets(self) -> None:
        decoding = iter(self._decoding_stamps())
        with ExitStack() as stack:
            video = stack.enter_context(open_video(self._source))
            output = stack.enter_context(
                av.open(
                    ffmpeg_url(self.path),
                    "w",
                    format="mp4",
                    container_options={"movflags": "+faststart"},
                )
            )
            stream = output.add_stream_from_template(video.stream)
            end = None if self._is_whole else self._end_seconds
            sound = AudioTrack(self._source, output, stack, self.start_seconds, end)
            begin = self._begin(video)
            for packet in self._span_packets(video):
                packet.pts, packet.dts = (packet.pts or 0) - begin, next(decoding) - begin
                packet.stream = stream
                for heard in sound.packets_until(packet.dts * packet.time_base):
                    output.mux(heard)
                output.mux(packet)
            for heard in sound.packets_until(None):
                output.mux(heard)

    def _decoding_stamps(self) -> list[int]:
        """When each packet of the span is to be decoded: some containers do not say.

        The stamps of showing in rising order, early enough that no packet is shown before.
        """
        with open_video(self._source, num_threads=1) as video:
            shown = [packet.pts for packet in self._span_packets(video)]
        if None in shown or not shown:
            raise ValueError("packets without stamps cannot be carried over")
        stamps = np.array(shown, dtype=np.int64)
        rising = np.sort(stamps)
        return (rising - (rising - stamps).max()).tolist()

    def _begin(self, video: VideoSource) -> int:
        """The stamp in the source that becomes 0 in the copy, in ticks."""
        return video.zero_ticks + round(self.start_seconds / video.time_base)

    def _span_packets(self, video: VideoSource) -> Iterator[Packet[VideoStream]]:
        """The packets that the span needs: from the one to jump to on, to the last it shows."""
        begin, last = self._begin(video), int(self._timeline.pts[self._span[1] - 1])
        has_begun = self._is_whole
        for packet in video.packets():
            has_begun = has_begun or packet.pts == begin
            is_behind = packet.dts is not None and packet.dts - video.zero_ticks > last
            if is_behind and not self._is_whole:
                return
            if has_begun:
                yield packet

    def _accept(self, path: Path) -> bool:
        """Keep the file if it shows every frame of the span at its time, upright and unscaled."""
        info, timeline = probe(path)
        first, stop = self._span
        wanted = [self._timeline.pts_seconds(i) - self.start_seconds for i in range(first, stop)]
        shown = {timeline.pts_seconds(i) for i in range(timeline.num_frames)}
        extra = self._is_whole and timeline.num_frames != stop - first
        same = (info.width, info.height, info.sample_aspect_ratio) == (
            self._info.width,
            self._info.height,
            self._info.sample_aspect_ratio,
        )
        is_exact = not extra and same and shown.issuperset(wanted)
        if not is_exact or not _durations_fit(path, wanted[-1]):
            return self._refuse(path)
        self.path = path
        return True

    def _refuse(self, path: Path) -> bool:
        path.unlink(missing_ok=True)
        self.start_seconds = Fraction(0)
        return False

    def _encoder(self) -> VideoWriter:
        if not self._is_whole:
            self.start_seconds = self._timeline.pts_seconds(self._span[0])
        rate = self._info.frame_rate
        return VideoWriter(
            self.path,
            self._info.width,
            self._info.height,
            time_base=self._timeline.time_base,
            frame_rate=rate,
            audio_from=self._source if self._info.has_audio else None,
            audio_start_seconds=self.start_seconds,
            audio_end_seconds=None if self._is_whole else self._end_seconds,
            sample_aspect_ratio=self._info.sample_aspect_ratio,
            keyframe_interval=max(1, round(rate * KEYFRAME_SECONDS)),
        )


def _durations_fit(path: Path, last_seconds: Fraction) -> bool:
    """Whether each packet, up to that of the last frame, says that it shows until the next one.

    Browsers that jump go by it, and show the wrong frame where it is not so: an mp4 counts from
    decoding to decoding, which with B-frames and uneven stamps is something else. Where nothing is
    said they take the mean.
    """
    with open_video(path, num_threads=1) as video:
        last = round(last_seconds / video.time_base) + video.zero_ticks
        packets = [
            (packet.pts, packet.duration or 0)
            for packet in video.packets()
            if packet.pts is not None and packet.pts <= last
        ]
    stamps, durations = np.array(sorted(packets)).T
    gaps = np.diff(stamps)
    told = np.where(durations[:-1] > 0, durations[:-1], gaps.mean() if gaps.size else 0)
    return bool((np.abs(told - gaps) <= np.maximum(gaps / 4, 1)).all())


def _is_played(stream: VideoStream, codecs: set[str]) -> bool:
    context = stream.codec_context
    return context.codec.canonical_name in codecs and context.pix_fmt in PLAYED_FORMATS
