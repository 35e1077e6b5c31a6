"""A span of a clip with one map over it, as MP4 or GIF: drawn from what is saved, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from video_cam.config import LimitsConfig, RenderConfig
from video_cam.errors import UsageError
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import MapSeries
from video_cam.explanation.sampling import FrameSpan, span_of
from video_cam.rendering.annotated_video import PANELS_OF_LAYOUT, AnnotatedVideo
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.captions import draw_captions
from video_cam.rendering.gif import MIN_DELAY, TICKS_PER_SECOND, gif_delays, write_gif
from video_cam.rendering.overlay import stitch
from video_cam.rendering.panels import PanelDrawer, Panels
from video_cam.rendering.renderer import within_memory
from video_cam.rendering.source_clip import as_explained, check_clip
from video_cam.utils.progress import Progress
from video_cam.video.clip import Clip
from video_cam.video.color import RGBImage
from video_cam.video.reader import Frame


@dataclass(frozen=True)
class Excerpt:
    """Consecutive frames of a clip and the one map that is drawn on them.

    Attributes:
        clip: as it was explained.
        explanation: with this map alone. Full heat is what it is in the whole video.
        span: the source frames.
        config: how it is drawn.
    """

    clip: Clip
    explanation: Explanation
    span: FrameSpan
    config: RenderConfig

    @classmethod
    def of(
        cls,
        clip: Clip,
        explanation: Explanation,
        series: MapSeries,
        span: FrameSpan,
        config: RenderConfig,
    ) -> Excerpt:
        """Prepare an excerpt.

        Args:
            clip: the clip that was explained.
            explanation: of it.
            series: one of the explanation's maps.
            span: frames that were explained.
            config: how it is drawn.

        Raises:
            UsageError: for another clip than the one that was explained.
            ClipError: where drawing takes more memory than it may.
        """
        check_clip(clip, explanation)
        alone = replace(explanation, maps=(series,), motion_maps=None)
        return cls(within_memory(as_explained(clip, alone), 1, config), alone, span, config)

    def write_mp4(self, path: Path, progress: Progress) -> list[str]:
        """Write an mp4 with the source's time stamps, from 0 on, and its sound.

        Returns:
            Notes on what is missing or was changed, one line each.
        """
        layout = self.config.layout
        video = AnnotatedVideo(path, self.clip, self.explanation, layout, self._frames)
        with video, progress("export", self.num_frames) as step:
            for frame, panels in self._drawn():
                video.write(frame, video.encodable(panels))
                step(1)
        return [note for note in (video.size_note, video.audio_problem) if note]

    def write_gif(self, path: Path, max_bytes: int, progress: Progress) -> list[str]:
        """Write a GIF with the source's time stamps, as near as its ticks allow.

        Args:
            path: of the file.
            max_bytes: of the file; pictures are scaled down until they fit.
            progress: as in ``render``.

        Returns:
            Notes on what was left out or scaled down, one line each.

        Raises:
            UsageError: where not even small pictures fit.
        """
        timeline, (first, stop) = self.explanation.timeline, self._frames
        seconds = [timeline.pts_seconds(index) for index in range(first, stop)]
        delays = gif_delays([*seconds, timeline.frame_end_seconds(stop - 1)])
        size = self._shown_size()
        with progress("export", len(delays)) as step:
            images = partial(self._images, {first + position for position in delays}, step)
            scaled = write_gif(path, images, list(delays.values()), size, max_bytes)
        notes = []
        if len(delays) < self.num_frames:
            notes.append(
                f"{self.num_frames - len(delays)} of {self.num_frames} frames are left out: a GIF "
                f"shows none for less than {MIN_DELAY / TICKS_PER_SECOND} s; an mp4 has all"
            )
        if scaled != size:
            notes.append(
                f"scaled down from {size[0]}x{size[1]} to {scaled[0]}x{scaled[1]} pixels to stay "
                "below --max-size"
            )
        return notes

    @property
    def num_frames(self) -> int:
        """How many source frames it has."""
        return self.span.stop - self.span.first

    @property
    def _frames(self) -> tuple[int, int]:
        return self.span.first, self.span.stop

    def _drawn(self) -> Iterator[tuple[Frame, Panels]]:
        drawer = PanelDrawer(BlendedMaps(self.explanation), self.config)
        with_heat = "heat" in PANELS_OF_LAYOUT[self.config.layout]
        with self.clip.frames(*self._frames) as reader:
            for frame in reader:
                yield frame, drawer.draw(frame.index, frame.rgb(), with_heat)[0]

    def _images(self, wanted: set[int], step: Callable[[int], object]) -> Iterator[RGBImage]:
        """The panels of the wanted frames side by side, with their captions."""
        aspect = float(self.explanation.clip.sample_aspect_ratio)
        for frame, panels in self._drawn():
            if frame.index not in wanted:
                continue
            names = PANELS_OF_LAYOUT[self.config.layout]
            image = stitch([getattr(panels, name) for name in names])
            draw_captions(image[:, -panels.overlay.shape[1] :], panels.caption, aspect)
            yield image
            step(1)

    def _shown_size(self) -> tuple[int, int]:
        """(width, height) of the panels side by side, in square pixels."""
        info, count = self.explanation.clip, len(PANELS_OF_LAYOUT[self.config.layout])
        aspect = float(info.sample_aspect_ratio)
        width = round(info.width * count * max(aspect, 1.0))
        return max(width, 1), max(round(info.height / min(aspect, 1.0)), 1)


def open_source(explanation: Explanation, path: str) -> Clip:
    """The clip of an explanation. What it asks for was allowed when it was explained.

    Raises:
        ClipError: where it cannot be read.
    """
    info, usual = explanation.clip, LimitsConfig()
    limits = LimitsConfig(
        max(usual.max_pixels, info.width * info.height),
        max(usual.max_frames, explanation.timeline.num_frames),
    )
    return Clip.open(path, limits, video_stream=info.video_stream)


def frames_between(
    explanation: Explanation, start_seconds: float | None, end_seconds: float | None
) -> FrameSpan:
    """The frames whose time stamp is in [start, end) seconds; None for what was explained.

    Raises:
        UsageError: where there is none, or not all of them were explained.
    """
    timeline, (first, stop) = explanation.timeline, explanation.span
    span = span_of(timeline, start_seconds, end_seconds)
    is_early = start_seconds is not None and span.first < first
    is_late = end_seconds is not None and span.stop > stop
    if is_early or is_late or max(span.first, first) >= min(span.stop, stop):
        raise UsageError(
            "not all frames of this span were explained: the explanation runs from "
            f"{float(timeline.pts_seconds(first)):.3f} s to "
            f"{float(timeline.frame_end_seconds(stop - 1)):.3f} s"
        )
    return FrameSpan(max(span.first, first), min(span.stop, stop))


def frames_of(explanation: Explanation, first: int, last: int) -> FrameSpan:
    """Source frames by their indices, both included.

    Raises:
        UsageError: where not all of them were explained.
    """
    begin, stop = explanation.span
    if not begin <= first <= last < stop:
        raise UsageError(
            f"--frames {first} {last}: expected two frames from {begin} to {stop - 1}, the first "
            "not after the last"
        )
    return FrameSpan(first, last + 1)


def map_number(explanation: Explanation, number: int) -> MapSeries:
    """One of the maps, counted from 0.

    Raises:
        UsageError: where there is none; the message names what there is.
    """
    maps = explanation.maps
    if not 0 <= number < len(maps):
        last = maps[-1]
        detail = f", detail {last.detail}" if explanation.has_details else ""
        raise UsageError(
            f"--map {number}: expected a number from 0 to {len(maps) - 1}, which is "
            f"{last.label}, {last.method}, {last.layer}{detail}"
        )
    return maps[number]
