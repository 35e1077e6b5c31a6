"""From window results to a clip's map series: contrast between classes, fusion of layers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from video_cam.attribution.attribution_result import MapKey
from video_cam.explanation.blending import Maps
from video_cam.explanation.contributions import complete_bias
from video_cam.explanation.map_series import ClassTarget, MapSeries, MapTarget
from video_cam.explanation.quantised_maps import QuantisedMaps, window_peaks
from video_cam.explanation.target_selection import ExplainedTarget
from video_cam.explanation.window_result import WindowResult
from video_cam.layers.alignment import CellCentres, finest, interpolation_matrix


def aggregate(
    results: Sequence[WindowResult],
    targets: Sequence[ExplainedTarget],
    map_keys: Sequence[MapKey],
    centres: Mapping[MapKey, CellCentres],
    head_biases: np.ndarray | None,
    fuse: str | None,
    refined: Collection[MapKey] = (),
) -> Iterator[MapSeries]:
    """The series of every target, layer, method and detail; without layers if fused.

    Args:
        results: of all windows, in order of time.
        targets: what each series explains.
        map_keys: (layer, method, detail) of a window's maps, in their order.
        centres: (layer, method, detail) -> positions of the cells of these maps; those of the whole
            input are in the results.
        head_biases: float64 (classes,) of the network's linear head, None without one.
        fuse: of ``choice_names.FUSION_NAMES``, or None; maps of the whole input stay as they are.
        refined: those of the maps that are finer than their layer's own.
    """
    places = {**results[0].input_centres, **centres}
    for target in targets:
        series = [
            replace(
                # Only maps of layers can add up to the score.
                _series(
                    results,
                    target,
                    index,
                    key,
                    places[key],
                    head_biases if key in centres else None,
                ),
                detail=key[2] if key in refined else "none",
            )
            for index, key in enumerate(map_keys)
        ]
        if fuse is None:
            yield from series
            continue
        for kind in dict.fromkeys(key[1:] for key in map_keys):
            of_kind = {
                key: one for key, one in zip(map_keys, series, strict=True) if key[1:] == kind
            }
            first, *_ = of_kind
            yield fused([*of_kind.values()], fuse) if first in centres else of_kind[first]


def _series(
    results: Sequence[WindowResult],
    explained: ExplainedTarget,
    index: int,
    key: MapKey,
    centres: CellCentres,
    head_biases: np.ndarray | None,
) -> MapSeries:
    """The series of one layer, method and detail, which has this index among a window's maps."""
    layer, method, _ = key
    values = _stacked(results, explained.targets, index)
    if explained.rivals:
        values = np.asarray(values) - np.asarray(_stacked(results, explained.rivals, index))
    class_ids = tuple(t.class_id for t in explained.targets if isinstance(t, ClassTarget))
    series = MapSeries(
        target=explained.targets[0] if explained.is_constant else _most_frequent(class_ids),
        label=explained.label,
        layer=layer,
        method=method,
        values=values,
        centres=centres,
        class_ids=() if explained.is_constant else class_ids,
        frame_scores=_frame_scores(results, explained.targets),
    )
    if series.class_id is None or explained.rivals or not explained.is_constant:
        return series  # the maps do not explain the logit of one class
    logits = np.stack([result.logits[series.class_id] for result in results])
    bias = None if head_biases is None else float(head_biases[series.class_id])
    sums = _sample_sums(results, explained.targets, index)
    bias = complete_bias(np.asarray(values) if sums is None else sums, logits, bias)
    contributions = None if bias is None else sums
    return replace(series, logits=logits, bias=bias, contributions=contributions)


def _stacked(
    results: Sequence[WindowResult], targets: Sequence[MapTarget], index: int
) -> Maps | QuantisedMaps:
    """Each window's map of its own target."""
    maps = [one.maps[target][index] for one, target in zip(results, targets, strict=True)]
    quantised = [one for one in maps if isinstance(one, QuantisedMaps)]
    return QuantisedMaps.stacked(quantised) if quantised else np.stack(maps)


def _sample_sums(
    results: Sequence[WindowResult], targets: Sequence[MapTarget], index: int
) -> np.ndarray | None:
    """float32 (W, N); None where the maps are on their layer's cells."""
    rows = [
        one.sample_sums.get(target, {}).get(index)
        for one, target in zip(results, targets, strict=True)
    ]
    known = [row for row in rows if row is not None]
    return np.stack(known) if known else None


def _most_frequent(class_ids: Sequence[int]) -> ClassTarget:
    """The class of most windows; in a tie the one with the lowest id."""
    return ClassTarget(max(sorted(set(class_ids)), key=class_ids.count))


def _frame_scores(
    results: Sequence[WindowResult], targets: Sequence[MapTarget]
) -> np.ndarray | None:
    """float32 (W, N); None for a network that scores clips, and for functions."""
    rows = [one.frame_scores.get(target) for one, target in zip(results, targets, strict=True)]
    known = [row for row in rows if row is not None]
    return np.stack(known) if len(known) == len(rows) else None


def _geometric_mean(maps: Sequence[Maps]) -> Maps:
    """Of the positive values: large only where all layers are."""
    return np.prod([values.clip(min=0) for values in maps], axis=0) ** (1 / len(maps))


FUSE: dict[str, Callable[[Sequence[Maps]], Maps]] = {
    "product": _geometric_mean,
    "mean": lambda maps: np.mean(maps, axis=0),
    "max": lambda maps: np.max(maps, axis=0),
}


def fused(series: Sequence[MapSeries], how: str) -> MapSeries:
    """Several layers' maps as one, on the finest of their grids.

    Each layer's maps are first divided by their largest value over all windows. Layers have
    different units, so the one with the largest numbers would dominate.

    Args:
        series: of one target, method and detail, one for each layer.
        how: a key of FUSE.

    Returns:
        values at most 1; without logits, frame scores as in the first series. The detail is that
        of the layers that have some.
    """
    centres = finest([one.centres for one in series])
    peaks = [float(window_peaks(one.values).max()) for one in series]

    def in_window(window: int) -> Maps:
        maps = [
            _on_grid(
                one.values[window][None] / np.float32(peak)
                if peak > 0
                else 0 * one.values[window][None],
                one.centres,
                centres,
            )
            for one, peak in zip(series, peaks, strict=True)
        ]
        return FUSE[how](maps)[0].astype(np.float32)

    windows = (in_window(window) for window in range(len(series[0].values)))
    quantised = any(isinstance(one.values, QuantisedMaps) for one in series)
    return replace(
        series[0],
        layer=f"{how} of " + " and ".join(one.layer for one in series),
        values=QuantisedMaps.of(windows) if quantised else np.stack([*windows]),
        centres=centres,
        logits=None,
        bias=None,
        contributions=None,
        detail=next((one.detail for one in series if one.detail != "none"), "none"),
    )


def _on_grid(values: Maps, own: CellCentres, centres: CellCentres) -> Maps:
    """Maps interpolated from their own cells to other centres."""
    for axis, name in enumerate("tyx", start=1):
        matrix = interpolation_matrix(getattr(own, name), getattr(centres, name), own.nearest)
        values = np.moveaxis(np.tensordot(values, matrix, axes=([axis], [1])), -1, axis)
    return values
