"""A figure for papers: keyframes across, maps down, with their times and a colour bar."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from video_cam.config import RenderConfig
from video_cam.errors import UsageError
from video_cam.explanation.explanation import Explanation, MapSeries
from video_cam.models.registry import UNTRAINED
from video_cam.rendering.blended_maps import BlendedMaps, seconds_of
from video_cam.rendering.frame_choice import frames_to_look_at
from video_cam.rendering.heat import HeatMapper
from video_cam.rendering.overlay import Palette, overlay
from video_cam.rendering.plot_text import boxes_for_missing_letters, plot_text
from video_cam.rendering.source_clip import as_explained, check_clip, check_explanation
from video_cam.utils.field_types import check_path, plain, shown_value
from video_cam.utils.files import atomic_write
from video_cam.utils.names import as_tuple
from video_cam.video.clip import Clip
from video_cam.video.color import RGBImage

NUM_FRAMES = 6
PANEL_INCHES = 1.2  # height of an image
SCREEN_DOTS_PER_INCH = 110
PAPER_DOTS_PER_INCH = 300
MAX_NAME_LETTERS = 40  # of a target, method or layer beside a row
_FONT_SIZE = 7

ImageRow = tuple[str, Sequence[RGBImage]]  # its name, and an image for each column


class Strip(Figure):
    """A matplotlib figure that a notebook displays by itself."""

    def _repr_jpeg_(self) -> bytes:
        # A fifth of the size of a PNG, and the notebook's file keeps it.
        buffer = BytesIO()
        with boxes_for_missing_letters():
            self.savefig(buffer, format="jpeg", dpi=SCREEN_DOTS_PER_INCH)
        return buffer.getvalue()

    def save(self, path: Path) -> None:
        """Write a .pdf, .png or .svg file, whole or not at all.

        Raises:
            UsageError: for another extension, or a folder that does not exist.
        """
        kind = path.suffix[1:].lower()
        if kind not in self.canvas.get_supported_filetypes():
            raise UsageError(f"{path.name!r} is no picture: end it in .pdf, .png or .svg")
        if not path.parent.is_dir():
            raise UsageError(f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}")
        with boxes_for_missing_letters(), atomic_write(path) as file:
            self.savefig(file, format=kind, dpi=PAPER_DOTS_PER_INCH)

    def pixels(self) -> np.ndarray:
        """uint8 (H, W, 3) RGB."""
        canvas = FigureCanvasAgg(self)
        with boxes_for_missing_letters():
            canvas.draw()
        return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def figure(
    clip: str | os.PathLike[str],
    explanation: Explanation,
    path: str | os.PathLike[str] | None = None,
    *,
    frames: int | Sequence[int] = NUM_FRAMES,
    methods: str | Sequence[str] | None = None,
    layers: str | Sequence[str] | None = None,
    class_ids: int | Sequence[int] | None = None,
    source: bool = True,
    colormap: str = RenderConfig.colormap,
    alpha: float = RenderConfig.alpha,
    normalize: str = RenderConfig.normalize,
    contours: Sequence[float] = RenderConfig.contours,
) -> Strip:
    """Draw keyframes and their maps as a matplotlib figure.

    Args:
        clip: the clip that was explained.
        explanation: what to draw.
        path: where to save the figure: .pdf, .png or .svg.
        frames: how many keyframes, the peaks of the maps and some between them; or the indices of
            source frames.
        methods: which methods' maps; None for all of the explanation's.
        layers: which layers' maps, likewise.
        class_ids: which classes' maps, likewise.
        source: a first row shows the frames without maps.
        colormap: as in RenderConfig.
        alpha: as in RenderConfig.
        normalize: as in RenderConfig.
        contours: as in RenderConfig.

    Raises:
        UsageError: for frames or maps that the explanation does not hold, or a wrong option.
        ClipError: where the clip cannot be read.
    """
    config = RenderConfig(
        colormap=colormap, alpha=alpha, normalize=normalize, contours=tuple(contours)
    )
    check_explanation(explanation)
    if path is not None:
        check_path("the figure's file", path)
    chosen = _chosen_maps(explanation, methods, layers, class_ids)
    maps = BlendedMaps(explanation)
    frame_indices = chosen_frames(maps, frames, chosen)
    opened = Clip.open(clip, video_stream=explanation.clip.video_stream)
    check_clip(opened, explanation)
    drawn = draw_strip(opened, maps, config, frame_indices, chosen, source)
    if path is not None:
        drawn.save(Path(path))
    return drawn


def draw_strip(
    clip: Clip,
    maps: BlendedMaps,
    config: RenderConfig,
    frame_indices: Sequence[int] | None = None,
    chosen: Sequence[int] | None = None,
    source: bool = True,
) -> Strip:
    """``figure`` of a clip that is open already.

    Args:
        clip: the clip that was explained.
        maps: of the explanation.
        config: colours, opacity and normalisation.
        frame_indices: source frames of the columns, in order; None for NUM_FRAMES keyframes.
        chosen: the maps of the rows, as positions in ``maps``; None for all of them.
        source: a first row shows the frames without maps.
    """
    explanation = maps.explanation
    if frame_indices is None:
        frame_indices = frames_to_look_at(maps, NUM_FRAMES, chosen)
    images = as_explained(clip, explanation).frames_at(frame_indices)
    palette = Palette.of(config)
    rows: list[ImageRow] = [("frame", [images[i] for i in frame_indices])] if source else []
    for index in range(len(maps)) if chosen is None else chosen:
        mapper = HeatMapper(maps[index], explanation.geometry, config.normalize)
        drawn = [overlay(images[i], mapper.heat(i), mapper.box, palette) for i in frame_indices]
        rows.append((_row_name(explanation, explanation.maps[index]), drawn))
    return _assemble(explanation, frame_indices, rows, config)


def chosen_frames(maps: BlendedMaps, frames: Any, chosen: Sequence[int] | None = None) -> list[int]:
    """The source frames of the columns, in order.

    Args:
        maps: of the explanation whose frames they are.
        frames: how many, or the indices of source frames; also NumPy's and PyTorch's.
        chosen: of the maps in ``maps`` whose peaks are looked for; None for all of them.

    Raises:
        UsageError: for other values, and for frames that were not explained.
    """
    first, stop = maps.explanation.span
    frames = _whole_numbers(frames)
    if isinstance(frames, int):
        if frames < 1:
            raise UsageError(f"frames {frames} must be 1 or more, or a list of source frames")
        return frames_to_look_at(maps, frames, chosen)
    for index in frames:
        if not first <= index < stop:
            raise UsageError(
                f"frame {index} lies outside what was explained, {first} to {stop - 1}"
            )
    if not frames:
        raise UsageError("frames is empty: name at least one source frame, or how many")
    return sorted(set(frames))


def _whole_numbers(frames: Any) -> int | list[int]:
    """A whole number or a list of them, in Python's types."""
    is_several = isinstance(plain(frames), Iterable)
    found = list(map(plain, plain(frames))) if is_several else [plain(frames)]
    if not all(isinstance(index, int) and not isinstance(index, bool) for index in found):
        raise UsageError(
            f"frames {shown_value(frames)} must be a whole number, or a list of source frames"
        )
    return found if is_several else found[0]


def _chosen_maps(explanation: Explanation, methods: Any, layers: Any, class_ids: Any) -> list[int]:
    """The positions of the maps with one of these methods, layers and classes; None is any."""
    wanted = {"method": methods, "layer": layers, "class_id": class_ids}
    chosen = list(range(len(explanation.maps)))
    for name, values in wanted.items():
        if values is None:
            continue
        there = {getattr(series, name): None for series in explanation.maps}
        for value in as_tuple(values):
            if value not in there:
                known = ", ".join(map(str, there))
                raise UsageError(f"{name} {value!r} was not explained; there is {known}")
        chosen = [i for i in chosen if getattr(explanation.maps[i], name) in as_tuple(values)]
    if not chosen:
        raise UsageError("no map was explained for these methods, layers and classes together")
    return chosen


def _row_name(explanation: Explanation, series: MapSeries) -> str:
    """The target, and the method and the layer where the explanation has several."""
    parts = [series.label]
    for name in ("method", "layer"):
        if len({getattr(other, name) for other in explanation.maps}) > 1:
            parts.append(getattr(series, name))
    return "\n".join(plot_text(part, MAX_NAME_LETTERS) for part in parts)


def _assemble(
    explanation: Explanation,
    frame_indices: Sequence[int],
    rows: Sequence[ImageRow],
    config: RenderConfig,
) -> Strip:
    """The figure with these rows of images."""
    clip = explanation.clip
    aspect = float(clip.width * clip.sample_aspect_ratio / clip.height)
    size = (len(frame_indices) * PANEL_INCHES * aspect + 1.2, len(rows) * PANEL_INCHES + 0.5)
    layout = ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    strip = Strip(figsize=size, layout=layout, dpi=SCREEN_DOTS_PER_INCH)
    FigureCanvasAgg(strip)
    grid = strip.subplots(len(rows), len(frame_indices), squeeze=False)
    for line, (name, images) in zip(grid, rows, strict=True):
        for axes, image in zip(line, images, strict=True):
            axes.imshow(image, aspect=float(clip.sample_aspect_ratio) ** -1)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        line[0].set_ylabel(name, fontsize=_FONT_SIZE)
    for axes, seconds in zip(grid[0], seconds_of(explanation, frame_indices), strict=True):
        axes.set_title(f"{seconds:.2f} s", fontsize=_FONT_SIZE)
    _add_colour_bar(strip, grid, config)
    if not explanation.model.trained:
        strip.suptitle(UNTRAINED, color="darkorange", fontsize=_FONT_SIZE)
    return strip


def _add_colour_bar(strip: Strip, grid: np.ndarray, config: RenderConfig) -> None:
    """Show which colour is which heat, right of all ``grid`` (rows, columns) of Axes."""
    colours = ListedColormap(Palette(config.colormap, 1).colours / 255)
    bar = strip.colorbar(ScalarMappable(cmap=colours), ax=grid, shrink=0.9, pad=0.01, aspect=30)
    bar.set_label(f"heat, 1 = largest in the {config.normalize}", fontsize=_FONT_SIZE)
    bar.ax.tick_params(labelsize=_FONT_SIZE)
