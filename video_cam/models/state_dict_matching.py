"""Which of a checkpoint's tensors are a network's, whatever the checkpoint calls them.

Training programs wrap networks, and every wrapper puts a prefix before the names: ``module.``,
``model.``, ``encoder.backbone.``. Lists of prefixes are never complete, so the names are compared
with the network's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from video_cam.utils.notes import Note

StateDict = dict[str, Tensor]

# Parts of names that DataParallel and torch.compile put where a wrapped module is.
WRAPPER_PARTS = ("module", "_orig_mod")


@dataclass(frozen=True)
class MatchedState:
    """Tensors for a network, by the network's own names.

    Attributes:
        state: name -> tensor. Names that the network does not have are as in the checkpoint.
        matched: how many of the network's names are in it.
        notes: what was chosen and what was left out; empty where nothing was.
    """

    state: StateDict
    matched: int
    notes: tuple[Note, ...]


def match_state(state_dicts: Mapping[str, StateDict], names: Collection[str]) -> MatchedState:
    """The tensors of a checkpoint that fit a network best.

    Args:
        state_dicts: place in the checkpoint -> state dict, the preferred ones first; at least one.
        names: of the network's parameters and buffers.

    Returns:
        Those of the first state dict, and in it of the first prefix, with the most of ``names``.
    """
    best: MatchedState | None = None
    for place, state in state_dicts.items():
        found = _match(place, state, names)
        if best is None or found.matched > best.matched:
            best = found
        if best.matched == len(names):
            break
    if best is None:
        raise ValueError("no state dict to choose from")
    return best


def _match(place: str, state: StateDict, names: Collection[str]) -> MatchedState:
    own = _without_wrappers(names)
    given = _without_wrappers(state)
    outer = _common_prefix(own)
    inner = {name.removeprefix(outer): full for name, full in own.items()}
    counts = _prefix_counts(given, inner)
    if not counts:
        return MatchedState(dict(state), 0, ())
    most = max(counts.values())
    prefix, *others = [prefix for prefix, count in counts.items() if count == most]
    matched, left_out = {}, []
    for name, full in given.items():
        if not name.startswith(prefix):
            left_out.append(full)
            continue
        stripped = name.removeprefix(prefix)
        matched[inner.get(stripped, stripped)] = state[full]
    return MatchedState(matched, most, _notes(place, prefix, others, left_out))


def _notes(place: str, prefix: str, others: list[str], left_out: list[str]) -> tuple[Note, ...]:
    if not left_out:
        return ()
    where = f" in {place!r}" if place else ""
    chosen = f"of the weights{where} those whose names begin with {prefix!r} were loaded"
    if others:
        fitting = ", ".join(repr(other) for other in others)
        chosen += f" (as many begin with {fitting})"
    return (Note(f"{chosen}; left out: {first_few(left_out)} ({len(left_out)} in all)"),)


def _without_wrappers(names: Iterable[str]) -> dict[str, str]:
    """Name without the parts that wrappers add -> name; as they are where two would be equal."""
    names = list(names)
    short = {
        ".".join(part for part in name.split(".") if part not in WRAPPER_PARTS): name
        for name in names
    }
    return short if len(short) == len(names) else {name: name for name in names}


def _common_prefix(names: Iterable[str]) -> str:
    """The first parts that all names share, with the last dot; never a whole name."""
    split = [name.split(".")[:-1] for name in names]
    prefix: list[str] = []
    for parts in zip(*split, strict=False):
        if len(set(parts)) > 1:
            break
        prefix.append(parts[0])
    return "".join(f"{part}." for part in prefix)


def _prefix_counts(given: Iterable[str], wanted: Collection[str]) -> Counter[str]:
    """Prefix -> how many names of ``given`` are that prefix and one of ``wanted``."""
    counts: Counter[str] = Counter()
    for name in given:
        parts = name.split(".")
        for i in range(len(parts)):
            if ".".join(parts[i:]) in wanted:
                counts["".join(f"{part}." for part in parts[:i])] += 1
    return counts


def first_few(names: Iterable[str], count: int = 3) -> str:
    """The first names, for a message."""
    names = list(names)
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")
