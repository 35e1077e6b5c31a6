"""How a layer's output becomes a grid (N, K, T', H', W'), found from the shapes of a trace.

    convolutions          (N, K, T', H', W')
    frames as samples     (N x T, K, H', W')
    Swin                  (N, T', H', W', K)
    tokens                (N, extra + T' H' W', K), or (N x T, extra + H' W', K)

Elements are moved or left out; their values do not change.
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
# Class, distillation and register tokens. With more left over, the grid is the wrong one.
_MAX_EXTRA_TOKENS = 8
# Heads and tokens can look like a grid, but with cells much longer than wide.
_MAX_ASPECT = 4


@dataclass(frozen=True)
class Fold:
    """How one layer's output is folded to (N, K, T', H', W'). Call it with the output.

    Attributes:
        axes: "first" for channels before the grid, "last" for channels behind it, or "tokens".
        grid: (T', H', W').
        frames: T where every frame is a sample of its own, else 0.
        extra: number of tokens before the grid's, such as a class token.
        space_first: whether neighbouring tokens are neighbours in time, as in TimeSformer.
        guessed: whether other grids fit the number of tokens as well.
    """

    axes: str
    grid: Grid
    frames: int = 0
    extra: int = 0
    space_first: bool = False
    guessed: bool = False

    def __call__(self, output: Tensor) -> Tensor:
        t, h, w = self.grid
        if self.axes == "tokens":
            output = output[:, self.extra :]  # (N, T' H' W', K)
            if self.space_first:
                return output.unflatten(1, (h, w, t)).permute(0, 4, 3, 1, 2)
            output = output.unflatten(1, (h, w) if self.frames else (t, h, w))
        if self.axes != "first":
            output = output.movedim(-1, 1)  # (N, K, [T',] H', W')
        if self.frames:  # (N x T, K, H', W') -> (N, K, T, H', W')
            return output.unflatten(0, (-1, self.frames)).transpose(1, 2)
        return output.unsqueeze(2) if output.ndim == 4 else output

    def __str__(self) -> str:
        t, h, w = self.grid
        if self.axes != "tokens":
            return f"{t}x{h}x{w}"
        extra = f" behind {self.extra} extra token{'s'[: self.extra > 1]}" if self.extra else ""
        guess = ", other grids fit as well" if self.guessed else ""
        return f"tokens folded as {t}x{h}x{w}{extra}{guess}"


def folds(
    modules: Iterable[ModuleOutput], size: Sequence[int], space_first: bool = False
) -> dict[str, Fold]:
    """How the outputs of modules fold, for modules with a grid of more than one cell in space.

    Args:
        modules: the trace of one sample, in the order of execution.
        size: (T, H, W) of the input.
        space_first: whether the network's tokens are ordered by place, then by frame.

    Returns:
        Module name -> fold.
    """
    found: dict[str, Fold] = {}
    grids: list[Grid] = []  # of the modules so far, the latest first
    lengths: set[int] = set()  # numbers of tokens so far
    for one in modules:
        fold = _fold(one, size, grids, lengths, space_first)
        if len(one.shape) == 3:
            lengths.add(one.shape[1])
        if fold is None:
            continue
        # Of other modules, heads and tokens may look like a grid.
        if one.grid or issubclass(one.kind, _CHANNELS_FIRST):
            grids.insert(0, fold.grid)
        if fold.grid[1] * fold.grid[2] > 1:
            found[one.name] = fold
    return found


def _fold(
    one: ModuleOutput,
    size: Sequence[int],
    grids: Sequence[Grid],
    lengths: set[int],
    space_first: bool,
) -> Fold | None:
    frames = size[0] if size[0] > 1 and one.shape[0] == size[0] else 0
    if (one.shape[0] != 1 and not frames) or (frames and len(one.shape) == 5):
        return None  # the first axis holds windows, places or heads
    if len(one.shape) == 3:
        return _token_fold(one, size, grids, frames, space_first)
    if len(one.shape) not in (4, 5) or _has_heads(one, lengths):
        return None
    likely = _channels_last(one, size, grids)
    is_certain = issubclass(one.kind, _CHANNELS_FIRST)
    for last in (likely,) if is_certain else (likely, not likely):
        places = one.shape[1:-1] if last else one.shape[2:]
        t, h, w = (frames or 1, *places) if len(places) == 2 else places
        if _fits((t, h, w), size):
            return Fold("last" if last else "first", (t, h, w), frames)
    return None


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


def _token_fold(
    one: ModuleOutput, size: Sequence[int], grids: Sequence[Grid], frames: int, space_first: bool
) -> Fold | None:
    length = one.shape[1]
    if one.grid and 0 <= length - prod(one.grid) <= _MAX_EXTRA_TOKENS:
        return Fold("tokens", one.grid, frames, length - prod(one.grid))
    known = [(1, *grid[1:]) if frames else grid for grid in _with_time(grids, size[0])]
    exact = _fitting(length, known)
    guesses = exact or _fitting(length, _factorisations(size, bool(frames)))
    if not guesses:
        return None
    grid, extra = guesses[0]
    others = {other for other, left in guesses if left == extra}
    full = (frames, *grid[1:]) if frames else grid
    ordered = space_first and not frames and grid[0] > 1
    return Fold("tokens", full, frames, extra, ordered, not exact and len(others) > 1)


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
