"""--list-layers: which layers of a network can be mapped, and what time and place each resolves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from video_cam.config import ExplainConfig
from video_cam.explanation.sampling import span_of
from video_cam.explanation.window_reader import plan_windows
from video_cam.layers.measured_alignment import MeasuredField, measure
from video_cam.layers.selection import min_cells_in_time
from video_cam.models.classifier import Classifier
from video_cam.video.scan import probe

CELLS_FOR_WHERE = 4  # the fewest, along either side, that say something of where


@dataclass(frozen=True)
class Resolution:
    """What one layer resolves along one axis, in input samples.

    cells: how many. spacing: the input's length for each. width: what a cell sees of it.
    """

    cells: int
    spacing: float
    width: float

    @property
    def blur(self) -> float:
        """Two things closer than this look alike: the cells are too few, or see too much."""
        return max(self.spacing, self.width / 2)


def layer_table(path: str, model: Classifier, options: ExplainConfig) -> Iterator[str]:
    """Lines for every layer that puts out a grid, input first, and which to take."""
    _, timeline = probe(path)
    span = span_of(timeline, options.start, options.end)
    windows = plan_windows(timeline, [span], model, options)
    size = (len(windows[0].frame_indices), *model.preprocess.crop)
    grids = model.trace(size)[1]
    shapes = grid_shapes(model, size)
    found = measure(model.module, list(shapes), size, grids, samples=1)
    yield (
        f"{'layer':32s} {'output (N, K, T, H, W)':28s} "
        f"{'frames: cells, apart, each sees':>32s} {'pixels: apart, each sees':>25s}"
    )
    marks = {model.when: "  <- when", model.layer: "  <- default"}
    table = {
        name: _resolutions(shape, found.get(name), size, model.framewise)
        for name, shape in shapes.items()
    }
    for name, shape in shapes.items():
        t, y, _ = table[name]
        tokens = f"  {grids[name]}" if grids[name].axes == "tokens" else ""
        in_time = f"{t.cells:d}, {t.spacing:.1f}, {t.width:.1f}"
        in_space = f"{y.spacing:.1f}, {y.width:.1f}"
        yield (
            f"{name:32s} {tuple(shape)!s:28s} {in_time:>32s} {in_space:>25s}"
            f"{tokens}{marks.get(name, '')}"
        )
    yield from advice(table, model.layer, model.when, size, model.framewise)


def advice(
    table: Mapping[str, Sequence[Resolution]],
    default: str,
    when: str,
    size: Sequence[int],
    framewise: bool = False,
) -> Iterator[str]:
    """In words: what the default layer cannot tell, and which layers to take.

    A late layer knows most of the class, so the latest one that still has cells enough is named.
    when: the layer that --layer when takes. framewise: frames are scored one by one.
    """
    if default in table:
        yield ""
        yield f"{default}: {sentence(table[default][0], size[0])}."
    where = [name for name, (_, y, x) in table.items() if min(y.cells, x.cells) >= CELLS_FOR_WHERE]
    if where:
        yield f"for where, take {where[-1]}: cells {table[where[-1]][1].spacing:.0f} pixels apart"
    if size[0] == 1:
        return
    if framewise:
        yield "for when, take any: each frame is scored by itself"
    elif when in table and table[when][0].cells >= min_cells_in_time(size[0]):
        yield (
            f"for when, take {when}: {sentence(table[when][0], size[0])}; windows that overlap "
            "more (--window-stride) sharpen it"
        )
    else:
        yield "for when, no layer has cells enough: let windows overlap more (--window-stride)"


def sentence(t: Resolution, frames: int) -> str:
    """What a layer can tell of time, in words."""
    if frames == 1:
        return "it sees one frame"
    if t.cells == 1:
        return "one cell holds all frames: it cannot tell any two of them apart"
    apart = int(min(t.blur, frames - 1))
    if apart < 2:
        return "it tells each frame from the one after the next"
    first = (frames - 1 - apart) // 2
    return f"it cannot tell frame {first} from frame {first + apart}"


def _resolutions(
    shape: Sequence[int],
    reaches: Sequence[MeasuredField] | None,
    size: Sequence[int],
    framewise: bool,
) -> list[Resolution]:
    """t, y, x; where a layer does not answer, cells of equal width that see themselves."""
    found = []
    for axis, length in enumerate(size):
        cells = shape[axis + 2]
        reach = None if reaches is None else reaches[axis]
        width = length / cells if reach is None else max(reach.width, 1.0)
        most = 1.0 if framewise and axis == 0 else float(length)
        found.append(Resolution(cells, length / cells, min(width, most)))
    return found


def grid_shapes(model: Classifier, size: tuple[int, int, int]) -> dict[str, torch.Size]:
    """Module name -> shape (1, K, T', H', W') of its output for a (T, H, W) input, as they run.

    Without modules that run several times: their outputs are not one layer's.
    """
    seen, grids = model.trace(size)
    return {
        name: fold(torch.empty(seen[name].shape, device="meta")).shape
        for name, fold in grids.items()
        if seen[name].calls == 1
    }
