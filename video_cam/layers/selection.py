"""Which layers are meant: names, patterns, positions from the back, convolutions from the back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from torch import nn

from video_cam.errors import UsageError
from video_cam.layers.layout import CONVOLUTIONS, Fold
from video_cam.layers.trace import Seen
from video_cam.utils.names import nearest

# Behind the last of these a network has no new places to tell apart.
_NO_LAYERS = (nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.Dropout, nn.Dropout2d, nn.Dropout3d)
_MOST_FOR_A_PATTERN = 24
_CELLS_FOR_WHEN = 4


def enough_for_when(frames: int) -> int:
    """The fewest cells in time that say something of when, for a clip of so many frames."""
    return min(_CELLS_FOR_WHEN, frames)


def choose_layers(
    wanted: Sequence[str | int],
    seen: Mapping[str, Seen],
    folds: Mapping[str, Fold],
    known: Sequence[str],
    frames: int,
) -> tuple[str, ...]:
    """Module names for names, globs such as ``layer?``, and negative positions.

    A glob names every module that matches and has a grid; -1 is the last module with a grid, as
    they run. seen and folds: of a trace of so many frames; known: every module's name. Raises
    UsageError for what is not there, did not run, ran twice, or has no grid.
    """
    chosen = match_layers(wanted, folds, known)
    for name in chosen:
        _check(name, seen, folds, frames)
    return chosen


def match_layers(
    wanted: Sequence[str | int], folds: Mapping[str, Fold], known: Sequence[str]
) -> tuple[str, ...]:
    """``choose_layers`` without a look at whether the modules named can be mapped."""
    return tuple(dict.fromkeys(name for one in wanted for name in _choose(str(one), folds, known)))


def convolutions_from_back(
    counts: Sequence[int], seen: Mapping[str, Seen], folds: Mapping[str, Fold]
) -> tuple[str, ...]:
    """--conv-backcount: 1 is the convolution that runs last, of those with a grid."""
    names = [name for name, one in seen.items() if issubclass(one.kind, CONVOLUTIONS)]
    names = [name for name in names if name in folds and seen[name].calls == 1]
    for count in counts:
        if not 1 <= count <= len(names):
            raise UsageError(
                f"--conv-backcount {count} is outside 1 ... {len(names)}: the network has "
                f"{len(names)} convolutions with a grid"
            )
    return tuple(dict.fromkeys(names[-count] for count in counts))


def candidates(seen: Mapping[str, Seen], folds: Mapping[str, Fold]) -> list[str]:
    """Layers that a default may be, best first: the last ones with T' > 1, then the others."""
    names = [name for name, one in seen.items() if name in folds and one.calls == 1]
    names = [name for name in names if not issubclass(seen[name].kind, _NO_LAYERS)]
    names = [name for name in names if not _inside_a_block(seen[name], folds[name])]
    names.reverse()
    return sorted(names, key=lambda name: folds[name].grid[0] == 1)  # stable


def _inside_a_block(one: Seen, fold: Fold) -> bool:
    """Queries, keys and the like: of a transformer's tokens, blocks and norms are looked at."""
    return fold.axes == "tokens" and one.leaf and "norm" not in one.kind.__name__.lower()


def _choose(wanted: str, folds: Mapping[str, Fold], known: Sequence[str]) -> list[str]:
    if re.fullmatch(r"-\d+", wanted) and wanted not in known:
        names = list(folds)
        if not 1 <= -int(wanted) <= len(names):
            raise UsageError(
                f"layer {wanted} is outside -1 ... -{len(names)}: see --list-layers for the order"
            )
        return [names[int(wanted)]]
    if wanted in known:
        return [wanted]
    if any(sign in wanted for sign in "*?["):
        matches = [name for name in folds if fnmatchcase(name, wanted)]
        if not matches:
            raise UsageError(f"no layer with a grid matches {wanted!r}: see --list-layers")
        if len(matches) > _MOST_FOR_A_PATTERN:
            raise UsageError(
                f"{len(matches)} layers match {wanted!r}: name at most {_MOST_FOR_A_PATTERN}"
            )
        return matches
    raise UsageError(f"unknown layer {wanted!r}: {nearest(wanted, [n for n in known if n])}")


def _check(name: str, seen: Mapping[str, Seen], folds: Mapping[str, Fold], frames: int) -> None:
    if name not in seen:
        raise UsageError(
            f"layer {name!r} puts out no tensor in a forward pass, or is never called: "
            f"{_others(name, folds)}"
        )
    if seen[name].calls == frames > 1 and len(seen[name].shape) == 4:
        raise UsageError(once_for_each(seen[name]))
    if seen[name].calls > 1:
        raise UsageError(
            f"layer {name!r} runs {seen[name].calls} times in a forward pass, so its map is not "
            f"defined: {_others(name, folds)}"
        )
    if name not in folds:
        raise UsageError(
            f"layer {name!r} has no grid of places: its output is {seen[name].shape}; "
            f"{_others(name, folds)}"
        )


def once_for_each(one: Seen) -> str:
    """What to do about a layer that a network calls frame by frame."""
    return (
        f"layer {one.name!r} runs once for each of the {one.calls} frames: give it all frames at "
        "once, x.transpose(1, 2).flatten(0, 1), and unflatten what comes of them"
    )


def _others(name: str, folds: Mapping[str, Fold]) -> str:
    """The layers with a grid most like ``name``, else the last of them."""
    if not folds:
        return "no layer of this network has one"
    likely = nearest(name, [other for other in folds if other != name])
    return likely if likely.startswith("did") else f"choose one of {', '.join([*folds][-3:])}"
