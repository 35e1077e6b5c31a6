"""Layers by name, pattern, position from the back, or as convolutions from the back."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

from torch import nn

from video_cam.errors import UsageError
from video_cam.layers.layout import CONVOLUTIONS, Fold
from video_cam.layers.trace import ModuleOutput
from video_cam.utils.names import nearest

# These resolve no places of their own, so none of them is a default layer.
_NEVER_DEFAULT = (
    *(nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.Dropout, nn.Dropout2d, nn.Dropout3d),
)
_WRAPPERS = ("module.", "_orig_mod.")
_MAX_MATCHES = 24  # of one pattern
_MIN_CELLS_IN_TIME = 4


def min_cells_in_time(frames: int) -> int:
    """The fewest cells in time of a layer that tells when something happens in ``frames``."""
    return min(_MIN_CELLS_IN_TIME, frames)


def choose_layers(
    wanted: Sequence[str | int],
    modules: Mapping[str, ModuleOutput],
    folds: Mapping[str, Fold],
    known: Sequence[str],
    frames: int,
) -> tuple[str, ...]:
    """Module names for names, patterns and positions; each of them can be mapped.

    Args:
        wanted: module names; patterns such as ``layer?``, for every matching module with a grid;
            negative positions, -1 being the module with a grid that runs last.
        modules, folds: of a trace with ``frames`` frames.
        known: the names of all modules.

    Raises:
        UsageError: for a layer that does not exist, did not run, ran twice, or has no grid.
    """
    chosen = match_layers(wanted, folds, known)
    for name in chosen:
        _check(name, modules, folds, frames)
    return chosen


def match_layers(
    wanted: Sequence[str | int], folds: Mapping[str, Fold], known: Sequence[str]
) -> tuple[str, ...]:
    """Module names as in ``choose_layers``, without the check that the modules can be mapped.

    Raises:
        UsageError: for what matches no module.
    """
    return tuple(dict.fromkeys(name for one in wanted for name in _match(str(one), folds, known)))


def convolutions_from_back(
    counts: Sequence[int], modules: Mapping[str, ModuleOutput], folds: Mapping[str, Fold]
) -> tuple[str, ...]:
    """Names of convolutions with a grid, counted from the back: 1 is the one that runs last.

    Raises:
        UsageError: for a count below 1 or above the number of such convolutions.
    """
    names = [name for name, one in modules.items() if issubclass(one.kind, CONVOLUTIONS)]
    names = [n for n in names if n in folds and folds[n].in_space and modules[n].calls == 1]
    for count in counts:
        if not 1 <= count <= len(names):
            raise UsageError(
                f"--conv-backcount {count} is outside 1 ... {len(names)}: the network has "
                f"{len(names)} convolutions with a grid"
            )
    return tuple(dict.fromkeys(names[-count] for count in counts))


def default_candidates(modules: Mapping[str, ModuleOutput], folds: Mapping[str, Fold]) -> list[str]:
    """Layers that can be the default, best first: from the back, T' > 1 before T' = 1."""
    names = [name for name, one in modules.items() if name in folds and one.calls == 1]
    names = [name for name in names if folds[name].in_space]
    names = [name for name in names if not issubclass(modules[name].kind, _NEVER_DEFAULT)]
    names = [name for name in names if not _inside_a_block(modules[name], folds[name])]
    names.reverse()
    return sorted(names, key=lambda name: folds[name].grid[0] == 1)  # stable


def _inside_a_block(one: ModuleOutput, fold: Fold) -> bool:
    """Whether tokens are queries, keys or the like: only blocks and norms can be the default."""
    return fold.axes == "tokens" and one.leaf and "norm" not in one.kind.__name__.lower()


def own_name(name: str, known: Collection[str]) -> str:
    """A layer's name without the prefixes that wrappers give it, such as ``module.``.

    Args:
        name: as it is called in DataParallel, DistributedDataParallel or torch.compile, or a
            pattern of such names.
        known: the names of the network's own modules.
    """
    while name not in known and name.startswith(_WRAPPERS):
        name = name.partition(".")[2]
    return name


def _match(wanted: str, folds: Mapping[str, Fold], known: Sequence[str]) -> list[str]:
    wanted = own_name(wanted, known)
    if re.fullmatch(r"-\d+", wanted) and wanted not in known:
        names = [name for name, fold in folds.items() if fold.in_space]
        if not 1 <= -int(wanted) <= len(names):
            raise UsageError(
                f"layer {wanted} is outside -1 ... -{len(names)}: see --list-layers for the order"
            )
        return [names[int(wanted)]]
    if wanted in known:
        return [wanted]
    if any(sign in wanted for sign in "*?["):
        matches = [name for name in folds if folds[name].in_space and fnmatchcase(name, wanted)]
        if not matches:
            raise UsageError(f"no layer with a grid matches {wanted!r}: see --list-layers")
        if len(matches) > _MAX_MATCHES:
            raise UsageError(f"{len(matches)} layers match {wanted!r}: name at most {_MAX_MATCHES}")
        return matches
    raise UsageError(f"unknown layer {wanted!r}: {nearest(wanted, [n for n in known if n])}")


def _check(
    name: str, modules: Mapping[str, ModuleOutput], folds: Mapping[str, Fold], frames: int
) -> None:
    """Raise UsageError for a layer that has no map, with the reason."""
    if name not in modules:
        raise UsageError(
            f"layer {name!r} returns no tensor in a forward pass, or is never called: "
            f"{_suggestion(name, folds)}"
        )
    one = modules[name]
    if one.calls == frames > 1 and len(one.shape) == 4:
        raise UsageError(frame_loop_message(one))
    if one.calls > 1:
        raise UsageError(
            f"layer {name!r} runs {one.calls} times in a forward pass, so its map is not "
            f"defined: {_suggestion(name, folds)}"
        )
    if name not in folds:
        raise UsageError(
            f"layer {name!r} has no grid of places: its output is {one.shape}; "
            f"{_suggestion(name, folds)}"
        )


def frame_loop_message(one: ModuleOutput) -> str:
    """The error message for a layer that the network calls frame by frame."""
    return (
        f"layer {one.name!r} runs once for each of the {one.calls} frames: give it all frames at "
        "once, x.transpose(1, 2).flatten(0, 1), and unflatten the result"
    )


def _suggestion(name: str, folds: Mapping[str, Fold]) -> str:
    """The rest of a message: layers with a grid whose names are like ``name``, or the last ones."""
    if not folds:
        return "no layer of this network has a grid"
    likely = nearest(name, [other for other in folds if other != name])
    return likely if likely.startswith("did") else f"choose one of {', '.join([*folds][-3:])}"
