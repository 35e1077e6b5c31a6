"""From window results to a clip's map series: contrast between classes, fusion of layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from video_cam.explanation.blending import Maps
from video_cam.explanation.contributions import complete_bias
from video_cam.explanation.map_series import ClassTarget, MapSeries, MapTarget
from video_cam.explanation.target_selection import ExplainedTarget
from video_cam.explanation.window_result import WindowResult
from video_cam.layers.alignment import CellCentres, interpolation_matrix

Slot = tuple[str, str]  # layer, method


def aggregate(
    results: Sequence[WindowResult],
    targets: Sequence[ExplainedTarget],
    slots: Sequence[Slot],
    centres: Mapping[str, CellCentres],
    head_biases: np.ndarray | None,
    fuse: str | None,
) -> Iterator[MapSeries]:
    """The series of every target, layer and method; of every target and method if fused.

    Args:
        results: of all windows, in order of time.
        slots: layers and methods in the order of a window's maps.
        centres: layer -> positions of its cells.
        head_biases: (classes,) of the network's linear head, None without one.
        fuse: of ``config.FUSION_NAMES``, or None.
    """
    for target in targets:
        own = [
            _series(results, target, index, slot, centres[slot[0]], head_biases)
            for index, slot in enumerate(slots)
        ]
        if fuse is None:
            yield from own
            continue
        for method in dict.fromkeys(method for _, method in slots):
            yield fused([series for series in own if series.method == method], fuse)


def _series(
    results: Sequence[WindowResult],
    explained: ExplainedTarget,
    index: int,
    slot: Slot,
    centres: CellCentres,
    head_biases: np.ndarray | None,
) -> MapSeries:
    values = _stack(results, explained.targets, index)
    if explained.rivals:
        values = values - _stack(results, explained.rivals, index)
    target = Counter(explained.targets).most_common(1)[0][0]
    own_ids = tuple(t.class_id for t in explained.targets if isinstance(t, ClassTarget))
    series = MapSeries(
        target,
        explained.label,
        *slot,
        values,
        centres,
        () if explained.is_constant else own_ids,
        _frame_scores(results, explained.targets),
    )
    if series.class_id is None or explained.rivals or not explained.is_constant:
        return series  # not the maps of one class's logit
    logits = np.stack([result.logits[series.class_id] for result in results])
    bias = None if head_biases is None else float(head_biases[series.class_id])
    return replace(series, logits=logits, bias=complete_bias(values, logits, bias))


def _stack(results: Sequence[WindowResult], targets: Sequence[MapTarget], index: int) -> Maps:
    return np.stack([one.maps[target][index] for one, target in zip(results, targets, strict=True)])


def _frame_scores(
    results: Sequence[WindowResult], targets: Sequence[MapTarget]
) -> np.ndarray | None:
    """float32 (W, N); None for a network that scores clips, and for functions."""
    rows = [one.frame_scores.get(target) for one, target in zip(results, targets, strict=True)]
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
        first.target,
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
