"""Write a copy of a clip that browsers play, with the source's frames and time stamps."""

from __future__ import annotations

from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av

from video_cam.errors import ClipError
from video_cam.video.audio import AudioError, SoundSpan
from video_cam.video.clip import Clip
from video_cam.video.color import RGBImage
from video_cam.video.container import VideoSource, open_video
from video_cam.video.copy_proof import shows_the_same
from video_cam.video.reader import Frame
from video_cam.video.remux import (
    PLAYED_CODECS,
    WEBM_CODECS,
    MP4Remux,
    is_played,
    write_webm,
)
from video_cam.video.writer import VideoFormat, VideoWriter

KEYFRAME_SECONDS = 1  # between the frames a browser can seek to, where the copy is encoded


class BrowserCopy:
    """Frames of a clip as ``<folder>/clip.mp4`` or ``clip.webm``.

        with BrowserCopy(clip, folder, (0, 250)) as copy, clip.frames(0, 250) as frames:
            for frame in frames:
                copy.write(frame, frame.rgb())
        copy.path, copy.start_seconds

    The source's own packets are copied where browsers play them and the copy is proven to show the
    same frames at the same times (``is_remuxed``, after entering the block; see ``copy_proof``);
    otherwise the frames given to ``write`` are encoded. Its first frame is at 0.
    Nothing else of the source is carried over: no titles, comments, places, chapters, attachments
    or data streams.

    Args:
        clip: the source.
        folder: an existing folder, which the caller writes to disk.
        span: the source frames [start, stop) that the copy must show.

    Attributes:
        path: of the copy.
        start_seconds: the source's time that is time 0 in the copy.
        width, height: of the copy in pixels of the clip: odd sizes are padded on the right and at
            the bottom.
        size_note: one line on frames that were scaled down; None where they were not.
    """

    def __init__(self, clip: Clip, folder: Path, span: tuple[int, int]) -> None:
        self._clip, self._span = clip, span
        self.path = folder / "clip.mp4"
        self.width, self.height = float(clip.info.width), float(clip.info.height)
        self.size_note: str | None = None
        # Browsers disagree about a video whose first frame is not at 0.
        self.start_seconds = clip.timeline.pts_seconds(span[0])
        self._writer: VideoWriter | None = None

    @property
    def is_remuxed(self) -> bool:
        """Whether the packets are the source's own."""
        return self._writer is None

    def __enter__(self) -> BrowserCopy:
        # Browsers do not deinterlace.
        if self._clip.info.is_interlaced or not (self._remux_webm() or self._remux()):
            form = self._format()
            sound = self._sound(self.start_seconds) if self._clip.info.has_audio else None
            self._writer = VideoWriter(self.path, form, sound, durable=False)
            self._writer.__enter__()
            self.size_note = form.size_note
            self.width *= form.encoded_size[0] / form.drawn_size[0]
            self.height *= form.encoded_size[1] / form.drawn_size[1]
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

    def _sound(self, start: Fraction) -> SoundSpan:
        end = None if self._is_whole else self._clip.timeline.frame_end_seconds(self._span[1] - 1)
        return SoundSpan(self._clip.path, start, end, self._clip.limits)

    def _remux_webm(self) -> bool:
        """Copy all packets of picture and sound if the file is a webm and all of it is wanted."""
        source, target = self._clip.path, self.path.with_suffix(".webm")
        is_webm = self._clip.info.is_video and Path(source).suffix.lower() == ".webm"
        if not is_webm or not self._is_whole or self.start_seconds:
            return False
        try:
            with self._open_source() as video:
                moves_stamps = video.zero_ticks or self._clip.info.num_jumps
                if not is_played(video.stream, WEBM_CODECS) or moves_stamps:
                    return False
                write_webm(video, target)
            return self._accept(target, self.start_seconds)
        except (av.FFmpegError, ClipError, ValueError):
            return _reject(target)

    def _remux(self) -> bool:
        """Copy the packets of the span if browsers play their codec."""
        if not self._clip.info.is_video or self._clip.info.is_still:
            return False
        try:
            with self._open_source() as video:
                if not is_played(video.stream, PLAYED_CODECS):
                    return False
                start = self._first_key_frame_seconds(video)
            MP4Remux(self._clip, self._span, start, self._sound(start)).write(self.path)
            return self._accept(self.path, start)
        except (av.FFmpegError, AudioError, ClipError, ValueError):
            return _reject(self.path)

    def _first_key_frame_seconds(self, video: VideoSource) -> Fraction:
        """Where the copy starts: at the last key frame that is not after the span's start."""
        if self._is_whole:
            return self.start_seconds
        first = int(self._clip.timeline.pts[self._span[0]]) + video.zero_ticks
        stamps = [p.pts for p in video.packets() if p.is_keyframe and p.pts is not None]
        ticks = max((stamp for stamp in stamps if stamp <= first), default=video.zero_ticks)
        return (ticks - video.zero_ticks) * video.time_base

    def _accept(self, path: Path, start: Fraction) -> bool:
        """Keep the file if it is proven to show every frame of the span as the clip shows it."""
        if not shows_the_same(path, self._clip, self._span, start):
            return _reject(path)
        self.path, self.start_seconds = path, start
        return True

    def _format(self) -> VideoFormat:
        info = self._clip.info
        return VideoFormat(
            info.width,
            info.height,
            time_base=self._clip.timeline.time_base,
            frame_rate=info.frame_rate,
            sample_aspect_ratio=info.sample_aspect_ratio,
            keyframe_interval=max(1, round(info.frame_rate * KEYFRAME_SECONDS)),
            buffers=self._clip.buffers,
        )


def is_encoded(clip: Clip) -> bool:
    """Whether a copy of the clip needs an encoder, as far as its codec tells."""
    if not clip.info.is_video or clip.info.is_still or clip.info.is_interlaced:
        return True
    with open_video(clip.path, clip.limits, video_stream=clip.info.video_stream) as video:
        return not is_played(video.stream, PLAYED_CODECS | WEBM_CODECS)


def _reject(path: Path) -> bool:
    path.unlink(missing_ok=True)
    return False
