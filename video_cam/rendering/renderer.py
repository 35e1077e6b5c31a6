"""Draws an explanation on its clip: one reading of the clip writes every video and keyframe."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from video_cam.config import RenderConfig
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.storage import write_fields
from video_cam.rendering.annotated_video import PANELS_OF_LAYOUT, AnnotatedVideo, video_names
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.contents import describe_contents
from video_cam.rendering.frame_choice import frames_to_look_at, saved_keyframes
from video_cam.rendering.frame_importance import most_important, sufficient_frames
from video_cam.rendering.image_files import save_image
from video_cam.rendering.keyframes import (
    describe_keyframes,
    keep_keyframes,
    make_folders,
    save_keyframe,
    save_thumbnail,
)
from video_cam.rendering.page.assets import CLIP_THUMBNAIL, PAGE_FOLDER
from video_cam.rendering.page.writer import write_page
from video_cam.rendering.panels import PanelDrawer, Panels
from video_cam.rendering.result_folder import EXPLANATION_FILE, SUMMARY_FILE, replace_folder
from video_cam.rendering.sheets import sheet_image, write_comparison, write_contact_sheet
from video_cam.rendering.source_clip import as_explained, check_clip, check_explanation
from video_cam.rendering.summary import summarise
from video_cam.rendering.summary_file import summary_bytes
from video_cam.rendering.timeline_plot import draw_timeline
from video_cam.truth.clip_truth import Mask
from video_cam.utils.field_types import check_path, check_progress
from video_cam.utils.names import check_names
from video_cam.utils.notes import WARNING, Note
from video_cam.utils.progress import Progress, silent
from video_cam.utils.threads import BackgroundCalls, ordered_map, prefetch
from video_cam.video.browser_copy import BrowserCopy, is_encoded
from video_cam.video.clip import Clip
from video_cam.video.color import RGBImage
from video_cam.video.memory import Drawing, drawing_buffers
from video_cam.video.reader import Frame
from video_cam.video.writer import EncodableFrame

COMPARISON = "comparison.png"
FIGURES = ("figure.pdf", "figure.png")
CONTACT_SHEET_IMAGES = 30


def render(
    clip: str | os.PathLike[str],
    explanation: Explanation,
    output_dir: str | os.PathLike[str],
    *,
    progress: Progress = silent,
    **options: Any,
) -> dict[str, Any]:
    """Draw an explanation on the clip it was made from, and write all results to a folder.

    Args:
        clip: a file, or a folder of numbered images.
        explanation: what to draw.
        output_dir: appears when it is complete. Earlier results in it are replaced.
        progress: called with the name and the length of the stage.
        options: the fields of RenderConfig.

    Returns:
        What summary.json holds.

    Raises:
        UsageError: for another clip than the one that was explained, a wrong option, or a folder
            that holds something else than results.
        ClipError: where the clip cannot be read.
    """
    check_names("option", list(options), RenderConfig.__dataclass_fields__)
    config = RenderConfig(**options)
    check_explanation(explanation)
    check_path("the output folder", output_dir)
    check_progress(progress)
    opened = Clip.open(clip, video_stream=explanation.clip.video_stream)
    return render_with(opened, explanation, Path(output_dir), config, progress)


def render_with(
    clip: Clip,
    explanation: Explanation,
    output_dir: Path,
    config: RenderConfig,
    progress: Progress = silent,
    extra_files: Path | None = None,
    extra_summary: Mapping[str, Any] | None = None,
    masks: Sequence[Mask] = (),
) -> dict[str, Any]:
    """``render`` of a clip that is open already.

    Args:
        clip: the clip that was explained.
        explanation: what to draw.
        output_dir: as in ``render``.
        config: how it is drawn.
        progress: as in ``render``.
        extra_files: a folder with sub-folders of pictures that are named by their frames. Those of
            the keyframes are moved into the results; the summary lists them under the
            sub-folder's name.
        extra_summary: more entries of the summary.
        masks: of the ground truth, whose outlines are drawn on the page.

    Returns:
        What summary.json holds.

    Raises:
        UsageError, ClipError: as ``render``.
    """
    began = time.perf_counter()
    check_clip(clip, explanation)
    clip = within_memory(as_explained(clip, explanation), len(explanation.maps), config)
    maps = BlendedMaps(explanation)
    with replace_folder(output_dir) as folder:
        drawn = _ClipDrawing(clip, maps, folder, config).run(progress)
        write_contact_sheet(folder / "contact_sheet.jpg", list(drawn.sheet_images.values()))
        save_image(folder / CLIP_THUMBNAIL, drawn.best_image)
        draw_timeline(folder / "timeline.png", maps)
        write_fields(folder / EXPLANATION_FILE, vars(explanation), durable=False)
        summary = summarise(explanation, drawn.keyframes, drawn.videos, drawn.notes)
        summary |= extra_summary or {}
        files = summary["files"]
        if (folder / COMPARISON).exists():
            files["comparison"] = COMPARISON
        if extra_files is not None:
            keep_keyframes(extra_files, {entry["frame_index"] for entry in drawn.keyframes})
            files |= _move_folders(extra_files, folder)
        files["figures"] = _write_figures(clip, maps, folder, config)
        files["clip"] = f"{PAGE_FOLDER}/{drawn.copy.path.name}"
        write_page(folder, maps, summary, config, drawn.copy, masks)
        summary["seconds"]["render"] = time.perf_counter() - began
        summary["contents"] = describe_contents(folder)
        (folder / SUMMARY_FILE).write_bytes(summary_bytes(summary))
    return summary


def within_memory(clip: Clip, num_maps: int, config: RenderConfig) -> Clip:
    """The clip with buffers that are small enough to draw this many maps of it.

    Raises:
        ClipError: where drawing takes more memory than it may, even with the smallest buffers.
    """
    drawing = Drawing(num_maps, len(PANELS_OF_LAYOUT[config.layout]), is_encoded(clip))
    buffers = drawing_buffers(clip.path, clip.info.pictures, drawing, clip.memory_budget)
    return replace(clip, buffers=buffers)


def _move_folders(source: Path, folder: Path) -> dict[str, list[str]]:
    """Move the sub-folders of ``source`` into ``folder``; their files by sub-folder, in order."""
    files = {}
    for kind in sorted(source.iterdir()):
        shutil.move(kind, folder / kind.name)
        names = sorted(path.name for path in (folder / kind.name).iterdir())
        files[kind.name] = [f"{kind.name}/{name}" for name in names]
    return files


def _write_figures(clip: Clip, maps: BlendedMaps, folder: Path, config: RenderConfig) -> list[str]:
    """Write the figure for a paper where it is asked for; returns its files' names."""
    if not config.figure:
        return []
    from video_cam.rendering.figure import draw_strip  # matplotlib takes long to import

    strip = draw_strip(clip, maps, config)
    for name in FIGURES:
        strip.save(folder / name)
    return list(FIGURES)


@dataclass(frozen=True)
class _Drawn:
    """What the reading of the clip gives to the page and the summary.

    Attributes:
        copy: the clip for the page.
        keyframes: their entries in the summary.
        videos: file names.
        notes: problems with the sound, and sizes that were changed.
        sheet_images: frame index -> an image for the contact sheet, in order.
        best_image: the one of them that the first map has most mass in.
    """

    copy: BrowserCopy
    keyframes: list[dict[str, Any]]
    videos: list[str]
    notes: tuple[Note, ...]
    sheet_images: dict[int, RGBImage]
    best_image: RGBImage


class _DrawnFrame(NamedTuple):
    """A frame, its pixels, its panels of every map, and these as the encoders take them."""

    frame: Frame
    rgb: RGBImage
    rows: list[Panels]
    encodable: list[EncodableFrame]


class _ClipDrawing:
    """One reading of the clip, which writes every video, keyframe and thumbnail."""

    def __init__(self, clip: Clip, maps: BlendedMaps, folder: Path, config: RenderConfig) -> None:
        self.clip, self.maps, self.folder, self.config = clip, maps, folder, config
        self.explanation = maps.explanation
        self.panels = PanelDrawer(maps, config)
        self.pixel_aspect = float(self.explanation.clip.sample_aspect_ratio)
        self.keyframes = saved_keyframes(maps, config.max_keyframes)
        self.keyframe_set = set(self.keyframes)
        self.with_thumbnail = self.keyframe_set | set(sufficient_frames(self.explanation))
        self.on_sheet = set(self.keyframes)
        if len(self.keyframes) > CONTACT_SHEET_IMAGES:
            self.on_sheet = set(frames_to_look_at(maps, CONTACT_SHEET_IMAGES, [0], self.keyframes))
        # One map has nothing to be compared with.
        self.compared = most_important(maps, self.keyframes) if len(maps) > 1 else None
        self.sheet_images: dict[int, RGBImage] = {}

    def run(self, progress: Progress) -> _Drawn:
        """Read the clip once and write everything."""
        make_folders(self.folder)
        names, span = video_names(self.explanation.maps), self.explanation.span
        page = self.folder / PAGE_FOLDER
        with ExitStack() as stack:
            reader = stack.enter_context(self.clip.frames(*span))
            copy = stack.enter_context(BrowserCopy(self.clip, page, span))
            videos = [stack.enter_context(self._video(name)) for name in names]
            # Decoding, drawing, encoding and compressing run side by side.
            waiting, images = self.clip.buffers.waiting_frames, self.clip.buffers.waiting_images
            encoding = stack.enter_context(BackgroundCalls(waiting * (len(videos) + 1)))
            saving = stack.enter_context(BackgroundCalls(images, num_threads=2))
            frames = stack.enter_context(prefetch(_converted(reader), waiting))
            draw, threads = partial(self._draw, videos), self.clip.buffers.drawing_threads
            drawn_frames = stack.enter_context(ordered_map(draw, frames, threads))
            step = stack.enter_context(progress("render", span[1] - span[0]))
            for drawn in drawn_frames:
                for video, encodable in zip(videos, drawn.encodable, strict=True):
                    encoding.call(video.write, drawn.frame, encodable)
                encoding.call(copy.write, drawn.frame, drawn.rgb)
                self._save(drawn, saving)
                step(1)
            encoding.finish()
            saving.finish()
        problems = [Note(video.audio_problem, WARNING) for video in videos if video.audio_problem]
        sizes = [copy.size_note, *(video.size_note for video in videos)]
        notes = dict.fromkeys((*problems, *(Note(text) for text in sizes if text)))
        return _Drawn(
            copy,
            describe_keyframes(self.maps, self.keyframes),
            names,
            tuple(notes),
            self.sheet_images,
            self.sheet_images[most_important(self.maps, list(self.sheet_images))],
        )

    def _video(self, name: str) -> AnnotatedVideo:
        # The folder is written to disk as a whole.
        path, layout = self.folder / name, self.config.layout
        return AnnotatedVideo(path, self.clip, self.explanation, layout, durable=False)

    def _draw(self, videos: Sequence[AnnotatedVideo], read: tuple[Frame, RGBImage]) -> _DrawnFrame:
        """Draw a frame; other threads draw others at the same time."""
        frame, rgb = read
        with_heat = frame.index in self.keyframe_set or self.config.layout == "strip"
        rows = self.panels.draw(frame.index, rgb, with_heat)
        pairs = zip(videos, rows, strict=True)
        return _DrawnFrame(frame, rgb, rows, [video.encodable(panels) for video, panels in pairs])

    def _save(self, drawn: _DrawnFrame, saving: BackgroundCalls) -> None:
        """Pass the images of a frame that are files on to the threads that save them."""
        index, rows = drawn.frame.index, drawn.rows
        if index in self.keyframe_set:
            saving.call(save_keyframe, self.folder, index, rows, self.pixel_aspect)
        if index in self.with_thumbnail:
            saving.call(save_thumbnail, self.folder, index, drawn.rgb, self.panels.box)
        if index == self.compared:
            path = self.folder / COMPARISON
            write_comparison(path, self.explanation.maps, rows, self.pixel_aspect)
        if index in self.on_sheet:
            self.sheet_images[index] = sheet_image(rows[0], self.pixel_aspect)


def _converted(frames: Iterable[Frame]) -> Iterator[tuple[Frame, RGBImage]]:
    """Frames with their pixels, converted in the thread that decodes."""
    for frame in frames:
        yield frame, frame.rgb()
