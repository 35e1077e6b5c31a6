"""--list-layers: the layers of a network that can get a map, and how finely each divides a clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from video_cam.choice_names import SCORE_METHOD_NAMES
from video_cam.cli.attention_table import attention_table
from video_cam.config import ExplainConfig
from video_cam.errors import UsageError
from video_cam.explanation.sampling import span_of
from video_cam.explanation.window_reader import plan_windows
from video_cam.layers.measured_alignment import MeasuredField, measure
from video_cam.layers.scores_only import ScoresOnly
from video_cam.layers.selection import min_cells_in_time
from video_cam.models.classifier import Classifier
from video_cam.models.grid_shapes import grid_shapes
from video_cam.video.clip import Clip

MIN_CELLS_FOR_WHERE = 4  # along each side; with fewer, a map does not say where something is


@dataclass(frozen=True)
class Resolution:
    """How finely the cells of a layer divide one axis of its input.

    Attributes:
        cells: number of cells.
        spacing: input samples (frames or pixels) from one cell to the next.
        width: input samples in the receptive field of a cell.
    """

    cells: int
    spacing: float
    width: float

    @property
    def smallest_distance(self) -> float:
        """Distance in input samples below which two things cannot be told apart."""
        return max(self.spacing, self.width / 2)


def layer_table(clip: Clip, model: Classifier, config: ExplainConfig) -> Iterator[str]:
    """The lines that ``--list-layers`` prints: a table with the input first, then advice.

    Args:
        clip: decides how many frames an input has, as the command would sample it.

    Raises:
        UsageError: for a network of which only scores can be had, and one without any grid.
    """
    if isinstance(model.module, ScoresOnly):
        raise UsageError(
            f"{model.module.kind} gives scores alone and has no layers to list: --method "
            f"{' or '.join(SCORE_METHOD_NAMES)} needs none"
        )
    span = span_of(clip.timeline, config.start, config.end)
    windows = plan_windows(clip.timeline, [span], model, config)
    size = (len(windows[0].frame_indices), *model.preprocess.crop)
    shapes = grid_shapes(model, size)
    grids = model.settled(list(shapes), size)
    shapes = {name: shape for name, shape in shapes.items() if name in grids}
    if not shapes:
        raise UsageError(
            "no layer of the network puts out a grid of places: --method "
            f"{' or '.join(SCORE_METHOD_NAMES)} needs none"
        )
    measured = measure(model.module, list(shapes), size, grids, samples=1)
    yield (
        f"{'layer':32s} {'output (N, K, T, H, W)':28s} "
        f"{'frames: cells, apart, each sees':>32s} {'pixels: apart, each sees':>25s}"
    )
    marks = {model.when: "  <- when", model.layer: "  <- default"}
    table = {
        name: _resolutions(shape, measured.get(name), size, model.framewise)
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
    yield from attention_table(model, size)
    yield from advice(table, model.layer, model.when, size, model.framewise)


def advice(
    table: Mapping[str, Sequence[Resolution]],
    default: str,
    when: str,
    size: Sequence[int],
    framewise: bool = False,
) -> Iterator[str]:
    """Lines that say what the default layer cannot tell, and which layers to use.

    The last layers respond most to the class, so the last one with enough cells is recommended.

    Args:
        table: layer -> its resolutions along t, y and x.
        default: the layer that is used if none is named.
        when: the layer that ``--layer when`` stands for.
        size: (T, H, W) of the input.
        framewise: whether the network scores each frame separately.
    """
    if default in table:
        yield ""
        yield f"{default}: {describe_time_resolution(table[default][0], size[0])}."
    where = [
        name for name, (_, y, x) in table.items() if min(y.cells, x.cells) >= MIN_CELLS_FOR_WHERE
    ]
    if where:
        spacing = table[where[-1]][1].spacing
        yield f"for where, use {where[-1]}: its cells are {spacing:.0f} pixels apart"
    if size[0] == 1:
        return
    if framewise:
        yield "for when, use any layer: each frame is scored separately"
    elif when in table and table[when][0].cells >= min_cells_in_time(size[0]):
        yield (
            f"for when, use {when}: {describe_time_resolution(table[when][0], size[0])}; windows "
            "that overlap more (--window-stride) make it more exact"
        )
    else:
        yield "for when, no layer has enough cells: let windows overlap more (--window-stride)"


def describe_time_resolution(t: Resolution, num_frames: int) -> str:
    """What a layer can tell in time, in words.

    Args:
        t: its resolution along time.
        num_frames: frames in the network's input.
    """
    if num_frames == 1:
        return "it sees one frame"
    if t.cells == 1:
        return "one cell covers all frames: it cannot tell any two of them apart"
    distance = int(min(t.smallest_distance, num_frames - 1))
    if distance < 2:
        return "it tells each frame from the one after the next"
    first = (num_frames - 1 - distance) // 2
    return f"it cannot tell frame {first} from frame {first + distance}"


def _resolutions(
    shape: Sequence[int],
    reaches: Sequence[MeasuredField] | None,
    size: Sequence[int],
    framewise: bool,
) -> list[Resolution]:
    """Along t, y and x. Without a measurement a cell's receptive field is the cell itself."""
    resolutions = []
    for axis, length in enumerate(size):
        cells = shape[axis + 2]
        reach = None if reaches is None else reaches[axis]
        width = length / cells if reach is None else max(reach.width, 1.0)
        max_width = 1.0 if framewise and axis == 0 else float(length)
        resolutions.append(Resolution(cells, length / cells, min(width, max_width)))
    return resolutions
