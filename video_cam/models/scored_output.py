"""A network whose output is class scores, from one that may return anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from video_cam.config import ANY_OUTPUT, InputConfig
from video_cam.errors import UsageError
from video_cam.layers.layout import Fold
from video_cam.layers.output_reading import (
    LOG_SOFTMAX,
    SIGMOID,
    SOFTMAX,
    OutputReading,
    adapt_output,
    with_values,
)
from video_cam.layers.output_search import find_reading
from video_cam.layers.outputs import class_scores, default_score_kind
from video_cam.layers.trace import ModuleOutput, example, trace
from video_cam.utils.notes import Note

_WHAT_IT_GIVES = {
    SOFTMAX: "a softmax, its outputs are probabilities already",
    SIGMOID: "a sigmoid, its outputs are probabilities already",
    LOG_SOFTMAX: "a log softmax, its outputs are logarithms of probabilities",
}
_SCORES_OF_PROBABILITIES = {SOFTMAX: "log p", SIGMOID: "log(p / (1 - p))"}
_NOTE_ON_PLACES = (
    "the network scores single places: maps explain a class's mean score over the places where it "
    "is predicted, and percentages are shares of the places"
)
_NOTE_ON_ANY = "the network's output holds no class scores that could be found: no class is shown"


@dataclass(frozen=True)
class ScoredNetwork:
    """A network, and what is known about its scores.

    Attributes:
        module: the network; its output is class scores, or anything where ``classes`` is 0.
        classes: the number of classes.
        score: how scores are shown, of ``choice_names.SCORE_KINDS``.
        reading: how the scores are read from the network's own output; None where it is scores.
        notes: what readers of results must know.
    """

    module: nn.Module
    classes: int
    score: str
    reading: OutputReading | None = None
    notes: tuple[Note, ...] = ()

    def without_scores_of_places(
        self, seen: Mapping[str, ModuleOutput], grids: Mapping[str, Fold]
    ) -> Mapping[str, Fold]:
        """Layers with a grid, without those whose channels are the class scores of places.

        The map of such a layer is the score itself, and says nothing of what led to it.
        """
        if self.reading is None or not self.reading.scores_places:
            return grids
        before = {
            name: fold
            for name, fold in grids.items()
            if seen[name].shape[1 if fold.axes == "first" else -1] != self.classes
        }
        return before or grids


def read_output(
    module: nn.Module,
    size: Sequence[int],
    input_config: InputConfig,
    num_labels: int | None,
    is_known: bool,
) -> ScoredNetwork:
    """The network with class scores as its output.

    Args:
        module: takes (N, 3, T, H, W).
        size: (T, H, W) of its input.
        input_config: says how scores are shown and how they lie in the output, where the caller
            knows.
        num_labels: the number of class names; None where none are given.
        is_known: whether its output is known to be scores.

    Raises:
        UsageError: where its output is no class scores, unless ``output_layout`` is ANY_OUTPUT.
    """
    x, layout = example(module, size), input_config.output_layout
    outputs = trace(module, x).outputs
    reading = None
    try:
        if layout not in (None, ANY_OUTPUT) or not is_known:
            asked = None if layout == ANY_OUTPUT else layout
            reading = find_reading(module, x, num_labels, asked, test_values=True)
        if reading is None:
            classes = class_scores(outputs).shape[1]
            return ScoredNetwork(module, classes, input_config.score or default_score_kind(classes))
    except UsageError:
        if layout != ANY_OUTPUT:
            raise
        return ScoredNetwork(module, 0, "raw", None, (Note(_NOTE_ON_ANY),))
    return _adapted(module, size, reading, input_config.score)


def _adapted(
    module: nn.Module, size: Sequence[int], reading: OutputReading, score: str | None
) -> ScoredNetwork:
    reading = with_values(reading, score)
    of_places = (Note(_NOTE_ON_PLACES),) if reading.scores_places else ()
    module = adapt_output(module, reading)
    classes = class_scores(trace(module, example(module, size)).outputs).shape[1]
    kind = score or ("sigmoid" if reading.values == SIGMOID else default_score_kind(classes))
    return ScoredNetwork(module, classes, kind, reading, (*notes_on_values(reading), *of_places))


def notes_on_values(reading: OutputReading) -> tuple[Note, ...]:
    """What results must say of scores that were probabilities; empty for other scores."""
    if reading.values not in _WHAT_IT_GIVES:
        return ()
    explained = (
        "its input, the logits" if reading.from_input else _SCORES_OF_PROBABILITIES[reading.values]
    )
    text = f"the network ends in {_WHAT_IT_GIVES[reading.values]}: maps explain {explained}"
    return (Note(text),)
