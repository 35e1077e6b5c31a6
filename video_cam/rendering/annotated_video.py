"""annotated.mp4 and its siblings: one video for each map, in the layout that was asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from video_cam.explanation.explanation import Explanation, MapSeries
from video_cam.rendering.captions import draw_captions
from video_cam.rendering.overlay import stitch
from video_cam.rendering.panels import Panels
from video_cam.video.audio import SoundSpan
from video_cam.video.clip import Clip
from video_cam.video.reader import Frame
from video_cam.video.writer import EncodableFrame, VideoFormat, VideoWriter

MAX_NAME_LETTERS = 100  # of target, layer and method in a file name

# Layout -> the fields of Panels that stand side by side in the video.
PANELS_OF_LAYOUT = {
    "overlay": ("overlay",),
    "side-by-side": ("source", "overlay"),
    "strip": ("source", "heat", "overlay"),
}


class AnnotatedVideo:
    """The video of one map, with the source's time stamps and sound.

    A whole clip keeps its time stamps; a part of a clip starts at 0.

        with AnnotatedVideo(folder / "annotated.mp4", clip, explanation, "overlay") as video:
            video.write(frame, video.encodable(panels))

    Attributes:
        size_note: one line on frames that are scaled down; None where they are not.
    """

    def __init__(
        self,
        path: Path,
        clip: Clip,
        explanation: Explanation,
        layout: str,
        span: tuple[int, int] | None = None,
        *,
        durable: bool = True,
    ) -> None:
        """Prepare the encoder.

        Args:
            path: of the new file.
            clip: whose sound is carried over.
            explanation: says which part of the clip is written, and its size and frame rate.
            layout: a key of PANELS_OF_LAYOUT.
            span: the source frames [first, stop) that are written; None for all that were
                explained.
            durable: as in ``utils.files.atomic_path``.
        """
        self._panels, self._timeline = PANELS_OF_LAYOUT[layout], explanation.timeline
        first, stop = span or explanation.span
        is_whole = (first, stop) == (0, self._timeline.num_frames)
        self._start_ticks = 0 if is_whole else int(self._timeline.pts[first])
        info = explanation.clip
        self._pixel_aspect = float(info.sample_aspect_ratio)
        video_format = VideoFormat(
            info.width * len(self._panels),
            info.height,
            time_base=self._timeline.time_base,
            frame_rate=info.frame_rate,
            sample_aspect_ratio=info.sample_aspect_ratio,
            buffers=clip.buffers,
        )
        self.size_note = video_format.size_note
        sound = SoundSpan(clip.path)
        if not is_whole:
            end = self._timeline.frame_end_seconds(stop - 1)
            sound = SoundSpan(clip.path, self._timeline.pts_seconds(first), end)
        self._writer = VideoWriter(
            path, video_format, sound if info.has_audio else None, durable=durable
        )

    def __enter__(self) -> AnnotatedVideo:
        self._writer.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.__exit__(kind, error, trace)

    @property
    def audio_problem(self) -> str | None:
        """Why the sound is missing or incomplete, in one line."""
        return self._writer.audio_problem

    def encodable(self, panels: Panels) -> EncodableFrame:
        """The panels side by side with their captions, as the encoder takes them.

        May be called by several threads at a time.
        """
        image = stitch([getattr(panels, name) for name in self._panels])
        overlay = image[:, -panels.overlay.shape[1] :]  # the last of every layout
        draw_captions(overlay, panels.caption, self._pixel_aspect)
        return self._writer.encodable(image)

    def write(self, frame: Frame, encodable: EncodableFrame) -> None:
        """Add the next frame, of whose panels ``encodable`` was made."""
        duration = self._timeline.duration_ticks(frame.index)
        self._writer.write_encodable(encodable, frame.pts - self._start_ticks, duration)


def video_names(maps: Sequence[MapSeries]) -> list[str]:
    """File names: annotated.mp4 for the first map; those of the others name what they show."""
    several = len({one.detail for one in maps}) > 1
    others = [
        f"annotated_{number}_{map_name(one, several)}.mp4" for number, one in enumerate(maps, 1)
    ]
    return ["annotated.mp4", *others[1:]]


def map_name(series: MapSeries, with_detail: bool = False) -> str:
    """A map's target, layer, method and perhaps detail for a file's name, in plain ASCII."""
    parts = [series.label, series.layer, series.method]
    if with_detail:
        parts.append(f"detail-{series.detail}")
    text = "_".join(re.sub(r"[^0-9A-Za-z.+-]+", "-", part).strip("-") for part in parts)
    return text[:MAX_NAME_LETTERS]
