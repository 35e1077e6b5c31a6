"""Which targets an explanation maps, and which classes are shown beside them."""

from __future__ import annotations

from colorsys import hsv_to_rgb

from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import ClassTarget, MapSeries, MapTarget

# Without black and yellow, and a lighter blue: they must be seen on white and on dark.
OKABE_ITO = ("#1a7fc1", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9")
GOLDEN_SECTION = 0.618  # hues that far apart never come close to an earlier one


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


def colours_of_targets(explanation: Explanation, top_k: int) -> dict[MapTarget, str]:
    """A colour for each of ``shown_targets``, the same in every picture and on the page: #rrggbb.

    The first ones follow Okabe and Ito, "Color universal design" (2008), which people of
    every colour vision tell apart; further ones are spread over the hues.
    """
    targets = shown_targets(explanation, top_k)
    more = range(len(targets) - len(OKABE_ITO))
    hues = [hsv_to_rgb(number * GOLDEN_SECTION % 1, 0.75, 0.75) for number in more]
    further = ["#" + "".join(f"{round(255 * part):02x}" for part in hue) for hue in hues]
    return dict(zip(targets, [*OKABE_ITO, *further], strict=False))
