"""The second pass: video + explanation -> annotated video, keyframes and pages. No network."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from video_cam.config import RenderConfig
from video_cam.errors import UsageError
from video_cam.explanation.explanation import Explanation, MapSeries
from video_cam.models.preprocessing import Frame
from video_cam.models.registry import UNTRAINED
from video_cam.rendering.comparison import write_comparison
from video_cam.rendering.figure import evenly, figure
from video_cam.rendering.heat import MapPainter
from video_cam.rendering.overlay import (
    WARNING,
    Palette,
    caption,
    crop,
    fit,
    heat_map,
    overlay,
    save_picture,
    stack,
    stitch,
)
from video_cam.rendering.page.assets import FOLDER
from video_cam.rendering.page.writer import thumbnail_name, write_page
from video_cam.rendering.result_folder import replace_folder
from video_cam.rendering.sheets import contact_sheet
from video_cam.rendering.summary import summarise
from video_cam.rendering.timeline_plot import draw_timeline
from video_cam.utils.names import check_names
from video_cam.utils.progress import Progress, silent
from video_cam.utils.threads import BackgroundCalls, prefetch
from video_cam.video.audio import SoundSpan
from video_cam.video.browser_copy import BrowserCopy
from video_cam.video.clip import Clip
from video_cam.video.reader import Frame as SourceFrame
from video_cam.video.reader import FrameReader
from video_cam.video.scan import decoded_timeline, probe
from video_cam.video.timeline import Timeline
from video_cam.video.writer import VideoFormat, VideoWriter

LONGEST_PANEL = 640  # pixels of a keyframe's panel
COMPARISON = "comparison.png"
COMPARED_PICTURE = 480
CONTACT_SHEET_PICTURES = 30
THUMBNAIL = 320
KEYFRAME_THUMBNAIL = 160
LONGEST_LAYER = 24  # letters of its name on a picture
WAITING_PICTURES = 4
WAITING_FRAMES = 4  # between decoding, drawing and encoding

Panels = tuple[Frame, Frame, Frame]


def render(
    clip: str | os.PathLike[str],
    explanation: Explanation,
    output_dir: str | os.PathLike[str],
    *,
    progress: Progress = silent,
    **look: Any,
) -> dict[str, Any]:
    """Draw ``explanation`` on the video it was made from, and write everything to ``output_dir``.

    ``look`` are the fields of RenderConfig. Returns the summary that summary.json holds. The folder
    appears when all of it is there; one that this function wrote before is replaced, any other is
    refused with a UsageError.
    """
    check_names("option", list(look), RenderConfig.__dataclass_fields__)
    return render_with(
        os.fspath(clip), explanation, Path(output_dir), RenderConfig(**look), progress
    )


def render_with(
    path: str,
    explanation: Explanation,
    output_dir: Path,
    look: RenderConfig,
    progress: Progress = silent,
    also: Callable[[Path], dict[str, list[str]]] | None = None,
    marks: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """``render`` with a ready-made look.

    ``also`` writes more into the folder, and names it by kind; ``marks`` go into
    the summary.
    """
    began = time.perf_counter()
    _check_clip(path, explanation)
    with replace_folder(output_dir) as folder:
        drawn = _Drawing(path, explanation, folder, look, progress).run()
        contact_sheet(folder / "contact_sheet.jpg", drawn.thumbnails)
        save_picture(folder / FOLDER / "thumbnail.jpg", drawn.best_picture)
        draw_timeline(folder / "timeline.png", explanation, drawn.seconds, drawn.masses)
        explanation.save(folder / "explanation.npz")
        summary = summarise(explanation, drawn.keyframes, drawn.videos, drawn.notes)
        summary.update(marks or {})
        if (folder / COMPARISON).exists():
            summary["files"]["comparison"] = COMPARISON
        if also is not None:
            summary["files"].update(also(folder))
        summary["files"]["figures"] = _figures(path, explanation, folder, look)
        summary["files"]["clip"] = f"{FOLDER}/{drawn.copy.path.name}"
        write_page(folder, explanation, summary, look, drawn.copy)
        summary["seconds"]["render"] = time.perf_counter() - began
        # Bytes of a file name that are no UTF-8 stay as JSON's own escapes.
        text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
        (folder / "summary.json").write_bytes(text.encode("utf-8", "backslashreplace"))
    return summary


def _figures(path: str, explanation: Explanation, folder: Path, look: RenderConfig) -> list[str]:
    """The strip for a paper, where it is asked for."""
    if not look.figure:
        return []
    names = ["figure.pdf", "figure.png"]
    drawn = figure(
        path,
        explanation,
        colormap=look.colormap,
        alpha=look.alpha,
        normalize=look.normalize,
    )
    for name in names:
        drawn.save(folder / name)
    return names


def _check_clip(path: str, explanation: Explanation) -> None:
    """Raise UsageError where the clip is not the one that was explained."""
    clip, timeline = probe(path)
    same_size = (clip.width, clip.height) == (explanation.clip.width, explanation.clip.height)
    # A damaged clip decodes to fewer frames than its packets promise, or to others: the explanation
    # knows which.
    known = same_size and (
        _holds(timeline, explanation.timeline)
        or _holds(decoded_timeline(path), explanation.timeline)
    )
    if not known:
        raise UsageError(
            f"{path!r} holds other frames than the clip that was explained: explain it again"
        )


def _holds(timeline: Timeline, other: Timeline) -> bool:
    return timeline.time_base == other.time_base and bool(np.isin(other.pts, timeline.pts).all())


@dataclass(frozen=True)
class Drawn:
    """What one reading of the clip left for pages and summary.

    seconds: float64 (F,), of every drawn frame. masses: float64 (F,) for each map. copy: the clip
    for the page.
    """

    copy: BrowserCopy
    keyframes: list[dict[str, Any]]
    videos: list[str]
    notes: tuple[str, ...]
    thumbnails: list[Frame]
    seconds: np.ndarray
    masses: list[np.ndarray]
    best_picture: Frame


class _Drawing:
    """One reading of the clip, which writes every video and keyframe."""

    def __init__(
        self,
        path: str,
        explanation: Explanation,
        folder: Path,
        look: RenderConfig,
        progress: Progress,
    ) -> None:
        self.path, self.explanation, self.folder = path, explanation, folder
        self.look, self.progress = look, progress
        self.timeline, self.span = explanation.timeline, explanation.span
        self.palette = Palette(look.colormap, look.alpha)
        self.painters = [
            MapPainter(explanation, i, look.normalize) for i in range(len(explanation.maps))
        ]
        self.names = _video_names(explanation.maps)
        self.saved = evenly(explanation.keyframes(), look.max_keyframes)
        self.on_sheet = set(evenly(self.saved, CONTACT_SHEET_PICTURES))
        first, stop = self.span
        self.seconds = self.timeline.pts[first:stop] * float(self.timeline.time_base)
        self.masses = [painter.measure(self.seconds) for painter in self.painters]
        self.compared = self._strongest()

    def run(self) -> Drawn:
        first, stop = self.span
        saved, thumbnails = set(self.saved), []
        for name in (_png(0), thumbnail_name(0)):
            (self.folder / name).parent.mkdir(parents=True)
        clip = Clip(replace(self.explanation.clip, path=self.path), self.timeline)
        page = (self.folder / thumbnail_name(0)).parent.parent
        with ExitStack() as open_:
            reader = open_.enter_context(FrameReader(self.path, first, stop, self.timeline))
            copy = open_.enter_context(BrowserCopy(clip, page, self.span))
            writers = [open_.enter_context(self._writer(name)) for name in self.names]
            # Decoding, drawing, encoding and compressing go on side by side. Pictures that wait
            # are memory: only a few may.
            encoding = open_.enter_context(BackgroundCalls(WAITING_FRAMES * (len(writers) + 1)))
            saving = open_.enter_context(BackgroundCalls(2 * WAITING_PICTURES, num_threads=2))
            frames = open_.enter_context(prefetch(_converted(reader), WAITING_FRAMES))
            step = open_.enter_context(self.progress("render", stop - first))
            for frame, rgb in frames:
                is_keyframe = frame.index in saved
                rows = self._paint(frame, rgb, is_keyframe or self.look.layout == "strip")
                for writer, panels in zip(writers, rows, strict=True):
                    encoding.call(self._write, writer, frame, panels)
                encoding.call(copy.write, frame, rgb)
                if is_keyframe:
                    saving.call(_save_png, self.folder / _png(frame.index), rows)
                    saving.call(self._save_thumbnail, frame.index, rgb)
                if frame.index == self.compared:
                    self._compare(rows)
                if frame.index in self.on_sheet:
                    thumbnails.append(fit(rows[0][2], THUMBNAIL))
                step(1)
            encoding.finish()
            saving.finish()
        problems = dict.fromkeys(w.audio_problem for w in writers if w.audio_problem)
        return Drawn(
            copy,
            self._keyframes(),
            self.names,
            tuple(problems),
            thumbnails,
            self.seconds,
            self.masses,
            self._best(thumbnails),
        )

    def _save_thumbnail(self, index: int, rgb: Frame) -> None:
        small = fit(crop(rgb, self.painters[0].box), KEYFRAME_THUMBNAIL)
        save_picture(self.folder / thumbnail_name(index), small)

    def _strongest(self) -> int | None:
        """The saved keyframe with most of the first map's mass; none where one map is all."""
        if len(self.painters) < 2:
            return None
        masses = self.masses[0][[index - self.span[0] for index in self.saved]]
        return self.saved[int(masses.argmax())]

    def _compare(self, rows: list[tuple[Frame, Frame, Frame]]) -> None:
        source, overlays = rows[0][0], [painted for _, _, painted in rows]
        write_comparison(
            self.folder / COMPARISON,
            self.explanation.maps,
            fit(source, COMPARED_PICTURE),
            [fit(painted, COMPARED_PICTURE) for painted in overlays],
        )

    def _best(self, thumbnails: list[Frame]) -> Frame:
        """Of the contact sheet's pictures the one with the largest map mass."""
        masses = self.masses[0][[index - self.span[0] for index in sorted(self.on_sheet)]]
        return thumbnails[int(masses[: len(thumbnails)].argmax())]

    def _paint(self, frame: SourceFrame, rgb: Frame, with_heat: bool) -> list[Panels]:
        """For every map: the frame, the heat map (else the frame again), the captioned overlay."""
        seconds = float(frame.pts_seconds)
        rows = []
        for painter in self.painters:
            heat = painter.coarse_heat(seconds)
            painted = overlay(rgb, heat, painter.box, self.palette)
            caption(painted, self._caption(painter, seconds))
            if not self.explanation.model.trained:
                caption(painted, [UNTRAINED], top=True, colour=WARNING)
            alone = heat_map(rgb, heat, painter.box, self.palette) if with_heat else rgb
            rows.append((rgb, alone, painted))
        return rows

    def _caption(self, painter: MapPainter, seconds: float) -> list[str]:
        series, probability = painter.series, painter.probability(seconds)
        share = "not seen"
        if probability is not None:
            share = self.explanation.shown(series.class_id, probability)
        instant = "" if self.timeline.num_frames == 1 else f"   {seconds:.2f} s"
        parts = [painter.label(seconds), share + instant]
        # One map needs no name; several do.
        layer = series.layer
        if len(layer) > LONGEST_LAYER:  # names differ at their end
            layer = f"…{layer[-LONGEST_LAYER + 1 :]}"
        return parts if len(self.painters) == 1 else [*parts, f"{series.method} {layer}"]

    def _writer(self, name: str) -> VideoWriter:
        clip = self.explanation.clip
        first, whole = self.span[0], self._whole()
        panels = {"overlay": 1, "side-by-side": 2, "strip": 3}[self.look.layout]
        video_format = VideoFormat(
            clip.width * panels,
            clip.height,
            time_base=self.timeline.time_base,
            frame_rate=clip.frame_rate,
            sample_aspect_ratio=clip.sample_aspect_ratio,
        )
        sound = SoundSpan(self.path)
        if not whole:
            end = self.timeline.frame_end_seconds(self.span[1] - 1)
            sound = SoundSpan(self.path, self.timeline.pts_seconds(first), end)
        return VideoWriter(self.folder / name, video_format, sound if clip.has_audio else None)

    def _whole(self) -> bool:
        return self.span == (0, self.timeline.num_frames)

    def _write(self, writer: VideoWriter, frame: SourceFrame, panels: Panels) -> None:
        rgb, heat, painted = panels
        layouts = {
            "overlay": [painted],
            "side-by-side": [rgb, painted],
            "strip": [rgb, heat, painted],
        }
        # A part of a clip starts at zero; a whole clip keeps its own time stamps.
        start = 0 if self._whole() else int(self.timeline.pts[self.span[0]])
        duration = self.timeline.duration_ticks(frame.index)
        writer.write(stitch(layouts[self.look.layout]), frame.pts - start, duration)

    def _keyframes(self) -> list[dict[str, Any]]:
        """importance: the map's mass in the frame, as a share of its largest in the clip.

        score: what the frame alone gave the class, None of a network that scores clips.
        """
        mass, first = self.masses[0], self.span[0]
        peak = mass.max() or 1.0
        scores = self.explanation.scores_of_frames()
        return [
            {
                "file": _png(index),
                "frame_index": index,
                "pts_seconds": float(self.timeline.pts_seconds(index)),
                "importance": float(mass[index - first] / peak),
                "score": scores.get(index),
            }
            for index in self.saved
        ]


def _video_names(maps: Sequence[MapSeries]) -> list[str]:
    """annotated.mp4 for the first map; the others say which they are."""
    names = ["annotated.mp4"]
    for series in maps[1:]:
        parts = (series.label, series.layer, series.method)
        slug = "_".join(re.sub(r"[^0-9A-Za-z.+-]+", "-", part).strip("-") for part in parts)
        names.append(f"annotated_{len(names) + 1}_{slug[:100]}.mp4")
    return names


def _png(index: int) -> str:
    return f"keyframes/{index:06d}.png"


def _converted(frames: Iterable[SourceFrame]) -> Iterator[tuple[SourceFrame, Frame]]:
    for frame in frames:
        yield frame, frame.rgb()


def _save_png(path: Path, rows: Sequence[Panels]) -> None:
    picture = stack([stitch([fit(panel, LONGEST_PANEL) for panel in row]) for row in rows])
    save_picture(path, picture)
