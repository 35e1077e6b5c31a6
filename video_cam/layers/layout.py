"""How a layer's output may become a grid (N, K, T', H', W'), from the shapes of a trace.

    convolutions          (N, K, T', H', W')
    times as samples      (N x T', K, H', W')
    Swin                  (N, T', H', W', K)
    tokens                (N, extra + T' H' W', K), (N x T', extra + H' W', K), or
                          (N, T', extra + H' W', K)
    time alone            (N, K, T') or (N, extra + T', K), a grid with one cell in space

With times as samples there is one cell in time for each frame, or for as many frames as divide
their number. Elements are moved or left out; their values do not change. Shapes alone leave several
ways open; ``measured_layout`` finds which of them is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import log, prod

from torch import Tensor, nn

from video_cam.layers.trace import ModuleOutput

Grid = tuple[int, int, int]

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_CHANNELS_FIRST = (*CONVOLUTIONS, nn.BatchNorm2d, nn.BatchNorm3d, nn.MaxPool2d, nn.MaxPool3d)
# (N, K, T'), never a number of tokens.
_IN_TIME = (nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d, nn.MaxPool1d, nn.AvgPool1d)
# Class, distillation and register tokens. With more left over, the grid is the wrong one.
_MAX_EXTRA_TOKENS = 8
# Heads and tokens can look like a grid, but with cells much longer than wide.
_MAX_ASPECT = 4
# Of cells that square patches or strides have made, with room for padding.
_SQUARE = 1.25


@dataclass(frozen=True)
class Fold:
    """How one layer's output is folded to (N, K, T', H', W'). Call it with the output.

    Attributes:
        axes: "first" for channels before the grid, "last" for channels behind it, "time" for
            (N, K, T'), or "tokens".
        grid: (T', H', W').
        frames: T' where every time is a sample of its own, or has an axis of its own beside that of
            its tokens; else 0.
        extra: number of tokens before the grid's, such as a class token.
        space_first: whether neighbouring tokens are neighbours in time, as in TimeSformer.
        extra_behind: number of tokens behind the grid's.
    """

    axes: str
    grid: Grid
    frames: int = 0
    extra: int = 0
    space_first: bool = False
    extra_behind: int = 0

    @property
    def in_space(self) -> bool:
        """Whether there is more than one cell in space."""
        return self.grid[1] * self.grid[2] > 1

    def __call__(self, output: Tensor) -> Tensor:
        t, h, w = self.grid
        if self.axes == "time":
            return output[..., None, None]
        if self.axes == "tokens":
            if output.ndim == 4:
                output = output.flatten(0, 1)  # (N, T', L, K) -> (N x T', L, K)
            end = output.shape[1] - self.extra_behind
            output = output[:, self.extra : end]  # (N, T' H' W', K)
            if self.space_first:
                return output.unflatten(1, (h, w, t)).permute(0, 4, 3, 1, 2)
            output = output.unflatten(1, (h, w) if self.frames else (t, h, w))
        if self.axes != "first":
            output = output.movedim(-1, 1)  # (N, K, [T',] H', W')
        if self.frames:  # (N x T', K, H', W') -> (N, K, T', H', W')
            return output.unflatten(0, (-1, self.frames)).transpose(1, 2)
        return output.unsqueeze(2) if output.ndim == 4 else output

    def __str__(self) -> str:
        t, h, w = self.grid
        cells = f"{t}x{h}x{w}" if self.in_space else f"{t} cells in time alone"
        if self.axes != "tokens":
            return cells
        order = " place by place" if self.space_first else ""
        sides = ((self.extra, "behind"), (self.extra_behind, "before"))
        extra = "".join(
            f" {side} {count} extra token{'s'[: count > 1]}" for count, side in sides if count
        )
        return f"tokens folded as {cells}{order}{extra}"


@dataclass(frozen=True)
class Layout:
    """What the shapes say of one layer's output.

    Attributes:
        folds: every way to fold it, the most likely first; not empty.
        certain: whether the kind of the layer, or its likeness to a convolution before it, tells
            the axes, so that ``folds`` needs no confirmation.
    """

    folds: tuple[Fold, ...]
    certain: bool


def folds(
    modules: Iterable[ModuleOutput], size: Sequence[int], space_first: bool = False
) -> dict[str, Fold]:
    """The most likely fold of each module; see ``layouts``."""
    found = layouts(modules, size, space_first)
    return {name: layout.folds[0] for name, layout in found.items()}


def layouts(
    modules: Iterable[ModuleOutput], size: Sequence[int], space_first: bool = False
) -> dict[str, Layout]:
    """How the outputs of modules may fold, for modules with a grid of more than one cell.

    Args:
        modules: the trace of one sample, in the order of execution.
        size: (T, H, W) of the input.
        space_first: whether the network's tokens are thought to be ordered by place, then by frame.

    Returns:
        Module name -> layout.
    """
    found: dict[str, Layout] = {}
    grids: list[Grid] = []  # of the modules so far, the latest first
    lengths: set[int] = set()  # numbers of tokens so far
    for one in modules:
        layout = _layout(one, size, grids, lengths, space_first)
        if len(one.shape) == 3:
            lengths.add(one.shape[1])
        if layout is None:
            continue
        # Of other modules, heads and tokens may look like a grid.
        if one.grid or issubclass(one.kind, _CHANNELS_FIRST):
            grids.insert(0, layout.folds[0].grid)
        if prod(layout.folds[0].grid) > 1:
            found[one.name] = layout
    return found


def _layout(
    one: ModuleOutput,
    size: Sequence[int],
    grids: Sequence[Grid],
    lengths: set[int],
    space_first: bool,
) -> Layout | None:
    frames = one.shape[0] if one.shape[0] > 1 and size[0] % one.shape[0] == 0 else 0
    if (one.shape[0] != 1 and not frames) or (frames and len(one.shape) == 5):
        return None  # the first axis holds windows, places or heads
    if len(one.shape) == 3:
        return _layout_of_tokens(one, size, grids, frames, space_first)
    if len(one.shape) not in (4, 5):
        return None
    in_frames = [] if frames else _tokens_in_frames(one, size, grids)
    if _has_heads(one, lengths):
        return Layout(tuple(in_frames), False) if in_frames and _is_block(one) else None
    as_grid = _grid_folds(one, size, grids, frames)
    of_grid = issubclass(one.kind, _CHANNELS_FIRST) or (as_grid and as_grid[0].grid in grids)
    # Fewer samples than frames may also be windows or parts of the picture.
    if as_grid and of_grid and frames in (0, size[0]):
        return Layout(tuple(as_grid), True)
    is_likely = as_grid and _has_square_cells(as_grid[0].grid, size)
    possible = as_grid + in_frames if is_likely else in_frames + as_grid
    return Layout(tuple(possible), False) if possible else None


def _grid_folds(
    one: ModuleOutput, size: Sequence[int], grids: Sequence[Grid], frames: int
) -> list[Fold]:
    """An output as a grid with channels before it or behind it, the more likely first."""
    likely = _channels_last(one, size, grids)
    is_known = issubclass(one.kind, _CHANNELS_FIRST)
    possible = []
    for last in (likely,) if is_known else (likely, not likely):
        places = one.shape[1:-1] if last else one.shape[2:]
        t, h, w = (frames or 1, *places) if len(places) == 2 else places
        if _fits((t, h, w), size):
            possible.append(Fold("last" if last else "first", (t, h, w), frames))
    return possible


def _tokens_in_frames(one: ModuleOutput, size: Sequence[int], grids: Sequence[Grid]) -> list[Fold]:
    """A four-axis output as (1, T', extra + H' W', K)."""
    is_grid = len(one.shape) == 5 or issubclass(one.kind, _CHANNELS_FIRST)
    if is_grid or one.shape[1] < 2 or size[0] % one.shape[1]:
        return []
    return _guessed_token_folds(one.shape[2], size, grids, one.shape[1])


def _is_block(one: ModuleOutput) -> bool:
    """Whether tokens are not those inside of attention: of a norm, or of several modules."""
    return not one.leaf or "norm" in one.kind.__name__.lower()


def _has_square_cells(grid: Grid, size: Sequence[int]) -> bool:
    aspect = (size[1] / grid[1]) / (size[2] / grid[2])
    return 1 / _SQUARE <= aspect <= _SQUARE


def _fits(grid: Grid, size: Sequence[int]) -> bool:
    """No more cells than frames and pixels, and cells not far from square."""
    aspect = (size[1] / grid[1]) / (size[2] / grid[2])
    few = all(cells <= most for cells, most in zip(grid, size, strict=True))
    return few and 1 / _MAX_ASPECT <= aspect <= _MAX_ASPECT


def _has_heads(one: ModuleOutput, lengths: set[int]) -> bool:
    """Whether an output is attention's weights (N, heads, L, L) or values (N, heads, L, K)."""
    return (
        len(one.shape) == 4
        and one.shape[2] in lengths
        and not issubclass(one.kind, _CHANNELS_FIRST)
    )


def _channels_last(one: ModuleOutput, size: Sequence[int], grids: Sequence[Grid]) -> bool:
    """By the latest known grid; else by which pair of axes has H'/W' nearer to H/W."""
    if issubclass(one.kind, _CHANNELS_FIRST):
        return False
    latest = grids[0][1:] if grids else None
    first, last = one.shape[-2:] == latest, one.shape[-3:-1] == latest
    if first != last:
        return last
    h, w, c = one.shape[-3:]  # if channels were last
    wanted = log(size[1] / size[2])
    # (K, H', W') against (H', W', K); at a tie channels are first, as usual.
    return abs(log(h / w) - wanted) < abs(log(w / c) - wanted)


def _layout_of_tokens(
    one: ModuleOutput, size: Sequence[int], grids: Sequence[Grid], frames: int, space_first: bool
) -> Layout | None:
    length = one.shape[1]
    if one.grid and 0 <= length - prod(one.grid) <= _MAX_EXTRA_TOKENS:
        is_certain = frames in (0, size[0])
        return Layout((Fold("tokens", one.grid, frames, length - prod(one.grid)),), is_certain)
    in_time = [] if frames else _folds_in_time(one, size[0])
    if issubclass(one.kind, _IN_TIME):
        in_time = in_time[:1]
        return Layout(tuple(in_time), True) if in_time and in_time[0].axes == "time" else None
    possible = _guessed_token_folds(length, size, grids, frames, space_first)
    return Layout((*possible, *in_time), False) if possible or in_time else None


def _guessed_token_folds(
    length: int,
    size: Sequence[int],
    grids: Sequence[Grid],
    frames: int,
    space_first: bool = False,
) -> list[Fold]:
    """Tokens of a known grid, or of square patches; ``length`` is the number of one sample's."""
    known = [(1, *grid[1:]) if frames else grid for grid in _with_time(grids, size[0])]
    guesses = _fitting(length, [*known])
    guesses += [
        guess for guess in _fitting(length, _factorisations(size, bool(frames)))
        if guess not in guesses
    ]  # fmt: skip
    return [
        fold for grid, extra in guesses for fold in _token_folds(grid, extra, frames, space_first)
    ]


def _token_folds(grid: Grid, extra: int, frames: int, space_first: bool) -> Iterator[Fold]:
    """Both orders of the tokens of a grid, with extra tokens in front of them, behind, or both."""
    full = (frames, *grid[1:]) if frames else grid
    orders = (False,) if frames or grid[0] == 1 else (space_first, not space_first)
    # X-CLIP's blocks have a class token in front, and a message from the other frames behind.
    sides = ((extra, 0), (0, extra), (1, extra - 1))[: min(extra, 2) + 1]
    for before, behind in sides:
        for order in orders:
            yield Fold("tokens", full, frames, before, order, behind)


def _folds_in_time(one: ModuleOutput, frames: int) -> list[Fold]:
    """A three-axis output as cells in time alone, (1, K, T') or (1, T', K) with a class token."""
    folds = [Fold("time", (one.shape[2], 1, 1))] if 1 < one.shape[2] <= frames else []
    if 1 < one.shape[1] <= frames:
        folds.append(Fold("tokens", (one.shape[1], 1, 1)))
    if 2 < one.shape[1] <= frames + 1:
        cells = (one.shape[1] - 1, 1, 1)
        folds += [Fold("tokens", cells, extra=1), Fold("tokens", cells, extra_behind=1)]
    return folds


def _with_time(grids: Sequence[Grid], frames: int) -> Iterator[Grid]:
    """The known grids, and each of them with a cell for every frame."""
    yield from grids
    for _, h, w in grids:
        yield frames, h, w


def _fitting(length: int, grids: Iterable[Grid]) -> list[tuple[Grid, int]]:
    """Grids for ``length`` tokens, with the number of extra tokens, the fewest first."""
    fitting = [
        (grid, length - prod(grid))
        for grid in dict.fromkeys(grids)
        if 0 <= length - prod(grid) <= _MAX_EXTRA_TOKENS and prod(grid) > 1
    ]
    return sorted(fitting, key=lambda pair: pair[1])


def _factorisations(size: Sequence[int], per_frame: bool) -> Iterator[Grid]:
    """Grids of square patches and tubelets that divide the input, the most usual first."""
    T, H, W = size
    for tubelet in (1,) if per_frame else (2, 1, 4, 8):
        for patch in (16, 14, 32, 8, 4, 2):
            if T % tubelet == 0 and H % patch == 0 and W % patch == 0:
                yield 1 if per_frame else T // tubelet, H // patch, W // patch
