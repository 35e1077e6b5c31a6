"""Which targets an explanation maps, and which classes are shown beside them."""

from __future__ import annotations

from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import ClassTarget, MapSeries, MapTarget


def target_number(target: MapTarget) -> int:
    """The number that stands for a target in summary.json, on the page and in its links.

    A class's id; for a function of the network's output a negative number: -1 for the first.
    """
    return target.class_id if isinstance(target, ClassTarget) else -1 - target.number


def labels_of_targets(explanation: Explanation) -> dict[MapTarget, str]:
    """The targets with maps, each once and in the order of the maps, and what they are called."""
    return {series.target: series.label for series in explanation.maps}


def series_of_targets(explanation: Explanation) -> list[MapSeries]:
    """One series of maps for each target with maps, in their order.

    Two series count as two targets if their labels differ, too: with a class of its own for each
    window, the best and the second best class can both be the same one most often.
    """
    return list({(series.target, series.label): series for series in explanation.maps}.values())


def shown_targets(explanation: Explanation, top_k: int) -> list[MapTarget]:
    """The targets with maps, then those of the ``top_k`` best classes that have none."""
    best = [ClassTarget(prediction.class_id) for prediction in explanation.predictions(top_k)]
    return list(dict.fromkeys([*labels_of_targets(explanation), *best]))
