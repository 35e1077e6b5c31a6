"""Which targets an explanation maps, and which classes are shown beside them.

The files of this package learn only from here how a target is identified.
"""

from __future__ import annotations

from video_cam.explanation.explanation import Explanation, MapSeries

# As Explanation.score and Explanation.label take it: a class id, or a negative number that stands
# for a function of the network's output.
Target = int


def target_of(series: MapSeries) -> Target:
    """What a series of maps explains; the most frequent class where each window has its own."""
    return series.class_id


def class_target(class_id: int) -> Target:
    """The target of a class."""
    return class_id


def target_number(target: Target) -> int:
    """The number that stands for a target in summary.json, on the page and in its links."""
    return target


def is_class(target: Target) -> bool:
    """Whether a target is one of the network's classes, and not a function."""
    return target >= 0


def labels_of_targets(explanation: Explanation) -> dict[Target, str]:
    """The targets with maps, each once and in the order of the maps, and what they are called."""
    return {target_of(series): series.label for series in explanation.maps}


def series_of_targets(explanation: Explanation) -> list[MapSeries]:
    """One series of maps for each target with maps, in their order.

    Two series count as two targets if their labels differ, too: with a class of its own for each
    window, the best and the second best class can both be the same one most often.
    """
    return list({(target_of(series), series.label): series for series in explanation.maps}.values())


def shown_targets(explanation: Explanation, top_k: int) -> list[Target]:
    """The targets with maps, then those of the ``top_k`` best classes that have none."""
    best = [class_target(prediction.class_id) for prediction in explanation.predictions(top_k)]
    return list(dict.fromkeys([*labels_of_targets(explanation), *best]))
