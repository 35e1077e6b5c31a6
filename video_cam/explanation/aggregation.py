"""From the maps of single windows to the map series of a clip: scope, contrast, fusion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from video_cam.explanation.blending import Maps
from video_cam.explanation.contributions import complete_bias
from video_cam.explanation.explanation import Explanation, MapSeries
from video_cam.layers.alignment import CellCentres, interpolation_matrix

Slot = tuple[str, str]  # layer, method


@dataclass(frozen=True)
class Subject:
    """What a series explains: a class in each window, and the class it is told apart from.

    class_ids, rivals: one per window; rivals is empty without contrast. scope: "video" where the
    class is the same everywhere, else "window".
    """

    class_ids: tuple[int, ...]
    label: str
    rivals: tuple[int, ...] = ()
    scope: str = "video"

    def needed(self, window: int) -> set[int]:
        """The classes whose maps a window has to have."""
        return {self.class_ids[window], *self.rivals[window : window + 1]}


def class_subject(
    class_id: int, probabilities: np.ndarray, labels: Sequence[str], contrast: bool
) -> Subject:
    """One class for the whole clip; its rival is the best other class of the clip."""
    num_windows = len(probabilities)
    label = labels[class_id]
    if not contrast:
        return Subject((class_id,) * num_windows, label)
    ranked = np.argsort(-probabilities.mean(0), kind="stable")
    rival = int(next(other for other in ranked if other != class_id))
    label = f"{label} rather than {labels[rival]}"
    return Subject((class_id,) * num_windows, label, (rival,) * num_windows)


def rivals_of(explanation: Explanation, contrast: bool) -> tuple[int, ...]:
    """In each window the class from which the first map, of one class, tells its own apart."""
    class_id = explanation.maps[0].class_id
    return class_subject(class_id, explanation.probabilities, explanation.labels, contrast).rivals


def window_subject(probabilities: np.ndarray, rank: int, contrast: bool) -> Subject:
    """Each window's own class of this rank (0 the best, -1 the least probable)."""
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    label = {0: "each window's best class", -1: "each window's worst class"}.get(
        rank, f"each window's class {rank + 1}"
    )
    rivals: tuple[int, ...] = ()
    if contrast:
        label += f" rather than its {'next' if rank == 0 else 'best'}"
        rivals = tuple((ranked[:, 1] if rank == 0 else ranked[:, 0]).tolist())
    return Subject(tuple(ranked[:, rank].tolist()), label, rivals, "window")


def function_subject(function_id: int, name: str, num_windows: int) -> Subject:
    """A function of the network's output."""
    return Subject((function_id,) * num_windows, name)


@dataclass(frozen=True)
class Found:
    """What was found in the windows.

    maps: (window, class id) -> one (T', H', W') map a slot. frame_scores: (window, class id) ->
    (N,), of networks that score every frame. logits: float32 (windows, classes). head_bias: of a
    class, None where the network has no linear head.
    """

    maps: dict[tuple[int, int], list[Tensor]]
    frame_scores: dict[tuple[int, int], np.ndarray]
    logits: np.ndarray
    head_bias: Callable[[int], float | None]


def build_series(
    subjects: Sequence[Subject],
    found: Found,
    slots: Sequence[Slot],
    place: Callable[[Tensor, str], CellCentres],
    fuse: str | None,
) -> Iterator[MapSeries]:
    """The series of every subject, layer and method, or of every subject and method if fused.

    place: a series' values and its layer -> where the cells sit.
    """
    for subject in subjects:
        own = [_series(subject, found, i, slot, place) for i, slot in enumerate(slots)]
        if fuse is None:
            yield from own
            continue
        for method in dict.fromkeys(method for _, method in slots):
            yield fused([series for series in own if series.method == method], fuse)


def _series(
    subject: Subject,
    found: Found,
    index: int,
    slot: Slot,
    place: Callable[[Tensor, str], CellCentres],
) -> MapSeries:
    maps = found.maps
    values = torch.stack([maps[w, c][index] for w, c in enumerate(subject.class_ids)])
    if subject.rivals:
        values = values - torch.stack([maps[w, c][index] for w, c in enumerate(subject.rivals)])
    ids = subject.class_ids
    layer, method = slot
    class_id = max(set(ids), key=ids.count)
    series = MapSeries(
        class_id,
        subject.label,
        layer,
        method,
        values.numpy(),
        place(values, layer),
        ids if subject.scope == "window" else (),
        _frame_scores(subject, found),
    )
    if class_id < 0 or subject.rivals or subject.scope == "window":
        return series  # no class's logit
    logits = found.logits[:, class_id]
    bias = complete_bias(series.values, logits, found.head_bias(class_id))
    return replace(series, logits=logits, bias=bias)


def _frame_scores(subject: Subject, found: Found) -> np.ndarray | None:
    """float32 (W, N); None of a network that scores clips, and of functions."""
    rows = [found.frame_scores.get(key) for key in enumerate(subject.class_ids)]
    known = [row for row in rows if row is not None]
    return np.stack(known) if len(known) == len(rows) else None


def _product(shares: list[Maps]) -> Maps:
    # The geometric mean: as large as the layers where they agree.
    return np.prod([share.clip(min=0) for share in shares], axis=0) ** (1 / len(shares))


FUSE: dict[str, Callable[[list[Maps]], Maps]] = {
    "product": _product,
    "mean": lambda shares: np.mean(shares, axis=0),
    "max": lambda shares: np.max(shares, axis=0),
}


def fused(series: Sequence[MapSeries], how: str) -> MapSeries:
    """Several layers' maps as one on the finest grid, each first a share of its largest value.

    Layers have units of their own, so their sum or product would be the loudest one's.
    """
    centres = _finest([one.centres for one in series])
    shares = []
    for one in series:
        peak = float(one.values.max())
        values = one.values / np.float32(peak) if peak > 0 else one.values * 0
        shares.append(_onto(values, one.centres, centres))
    values = FUSE[how](shares).astype(np.float32)
    first = series[0]
    layer = f"{how} of " + " and ".join(one.layer for one in series)
    return MapSeries(
        first.class_id,
        first.label,
        layer,
        first.method,
        values,
        centres,
        first.class_ids,
        first.frame_scores,
    )


def _finest(several: Sequence[CellCentres]) -> CellCentres:
    t, y, x = (max((getattr(c, axis) for c in several), key=len) for axis in "tyx")
    return CellCentres(t, y, x, several[0].nearest)


def _onto(values: Maps, own: CellCentres, centres: CellCentres) -> Maps:
    """(W, T', H', W') maps, from their own cells onto other centres."""
    for axis, name in enumerate("tyx", start=1):
        matrix = interpolation_matrix(getattr(own, name), getattr(centres, name), own.nearest)
        values = np.moveaxis(np.tensordot(values, matrix, axes=([axis], [1])), -1, axis)
    return values
