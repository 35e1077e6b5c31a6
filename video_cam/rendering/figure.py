"""A strip for a paper: keyframes across, maps down, with their times and a colour bar."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from video_cam.config import COLORMAP_NAMES, NORMALIZATIONS
from video_cam.errors import UsageError
from video_cam.explanation.explanation import Explanation
from video_cam.models.preprocessing import Frame
from video_cam.models.registry import UNTRAINED
from video_cam.rendering.heat import MapPainter
from video_cam.rendering.overlay import Palette, overlay
from video_cam.rendering.timeline_plot import plain
from video_cam.utils.names import as_tuple, check_names
from video_cam.video.reader import FrameReader

NUM_FRAMES = 6
PANEL_INCHES = 1.2  # height of a picture
SCREEN_DOTS_PER_INCH = 110
PAPER_DOTS_PER_INCH = 300
_FONT_SIZE = 7


class Strip(Figure):
    """A figure that a notebook shows by itself."""

    def _repr_jpeg_(self) -> bytes:
        # A fifth of a PNG's size, which a notebook keeps.
        buffer = BytesIO()
        self.savefig(buffer, format="jpeg", dpi=SCREEN_DOTS_PER_INCH)
        return buffer.getvalue()

    def save(self, path: Path) -> None:
        """Write a .pdf, .png or .svg, whole or not at all. UsageError for another ending."""
        kinds = self.canvas.get_supported_filetypes()
        kind = path.suffix[1:].lower()
        if kind not in kinds:
            raise UsageError(f"{path.name!r} is no picture: end it in .pdf, .png or .svg")
        partial = path.with_name(f".{path.name}.part")
        try:
            self.savefig(partial, format=kind, dpi=PAPER_DOTS_PER_INCH)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def pixels(self) -> np.ndarray:
        """uint8 (H, W, 3) RGB."""
        canvas = FigureCanvasAgg(self)
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
    colormap: str = "inferno",
    alpha: float = 0.7,
    normalize: str = "video",
) -> Strip:
    """Draw keyframes x maps as a matplotlib figure, and save it to ``path`` (.pdf, .png, .svg).

    frames: how many keyframes, evenly spread, or the source frames themselves. methods, layers,
    class_ids: which of the explanation's maps, by default all of them. source: a first row without
    maps. Raises UsageError for what the explanation does not hold.
    """
    check_names("colormap", [colormap], COLORMAP_NAMES)
    check_names("normalize", [normalize], NORMALIZATIONS)
    shown = _frames(explanation, frames)
    painters = [
        MapPainter(explanation, index, normalize)
        for index in _maps(explanation, methods, layers, class_ids)
    ]
    pictures = read_frames_at(clip, shown)
    palette = Palette(colormap, alpha)
    rows = [("frame", [pictures[i] for i in shown])] if source else []
    for painter in painters:
        painter.measure(seconds_of(explanation, range(*explanation.span)))
        instants = zip(shown, seconds_of(explanation, shown).tolist(), strict=True)
        painted = [
            overlay(pictures[i], painter.heat(instant), painter.box, palette)
            for i, instant in instants
        ]
        rows.append((_name(explanation, painter), painted))
    drawn = _draw(explanation, shown, rows, colormap, normalize)
    if path is not None:
        drawn.save(Path(path))
    return drawn


def _frames(explanation: Explanation, wanted: int | Sequence[int]) -> list[int]:
    """The source frames of the columns, in order."""
    first, stop = explanation.span
    if isinstance(wanted, int):
        if wanted < 1:
            raise UsageError(f"frames {wanted} must be 1 or more, or a list of source frames")
        return evenly(explanation.keyframes(), wanted)
    for index in wanted:
        if not first <= index < stop:
            raise UsageError(
                f"frame {index} lies outside what was explained, {first} to {stop - 1}"
            )
    if not wanted:
        raise UsageError("frames is empty: name at least one source frame, or how many")
    return sorted(set(wanted))


def evenly(items: Sequence[int], most: int) -> list[int]:
    """At most ``most`` of the items, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]


def _maps(explanation: Explanation, methods: Any, layers: Any, class_ids: Any) -> list[int]:
    """The maps whose method, layer and class are wanted; None wants all."""
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


def read_frames_at(clip: str | os.PathLike[str], indices: Sequence[int]) -> dict[int, Frame]:
    """The pixels of these frames, from one reading that stops after the last of them."""
    with FrameReader(clip, indices[0], indices[-1] + 1) as reader:
        pictures = {frame.index: frame.rgb() for frame in reader if frame.index in set(indices)}
    if missing := set(indices) - set(pictures):
        raise UsageError(f"{os.fspath(clip)!r} has no frame {min(missing)}: explain it again")
    return pictures


def seconds_of(explanation: Explanation, indices: Sequence[int]) -> np.ndarray:
    """When these source frames are shown, in seconds."""
    return explanation.timeline.pts[list(indices)] * float(explanation.timeline.time_base)


def _name(explanation: Explanation, painter: MapPainter) -> str:
    """What sets a row apart from the others."""
    series = painter.series
    parts = [series.label]
    for name in ("method", "layer"):
        if len({getattr(other, name) for other in explanation.maps}) > 1:
            parts.append(getattr(series, name))
    return "\n".join(parts)


def _draw(
    explanation: Explanation,
    shown: Sequence[int],
    rows: Sequence[tuple[str, Sequence[Frame]]],
    colormap: str,
    normalize: str,
) -> Strip:
    clip = explanation.clip
    aspect = float(clip.width * clip.sample_aspect_ratio / clip.height)
    size = (len(shown) * PANEL_INCHES * aspect + 1.2, len(rows) * PANEL_INCHES + 0.5)
    layout = ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    drawn = Strip(figsize=size, layout=layout, dpi=SCREEN_DOTS_PER_INCH)
    FigureCanvasAgg(drawn)
    grid = drawn.subplots(len(rows), len(shown), squeeze=False)
    for line, (name, pictures) in zip(grid, rows, strict=True):
        for axes, picture in zip(line, pictures, strict=True):
            axes.imshow(picture, aspect=float(clip.sample_aspect_ratio) ** -1)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        line[0].set_ylabel(plain(name), fontsize=_FONT_SIZE)
    for axes, seconds in zip(grid[0], seconds_of(explanation, shown).tolist(), strict=True):
        axes.set_title(f"{seconds:.2f} s", fontsize=_FONT_SIZE)
    colours = ListedColormap(
        Palette(colormap, 1).colour(np.linspace(0, 1, 256, dtype=np.float32)[None])[0] / 255
    )
    bar = drawn.colorbar(ScalarMappable(cmap=colours), ax=grid, shrink=0.9, pad=0.01, aspect=30)
    bar.set_label(f"heat, 1 = largest in the {normalize}", fontsize=_FONT_SIZE)
    bar.ax.tick_params(labelsize=_FONT_SIZE)
    if not explanation.model.trained:
        drawn.suptitle(UNTRAINED, color="darkorange", fontsize=_FONT_SIZE)
    return drawn
