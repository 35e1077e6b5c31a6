"""The maps of one target, layer, method and detail over a clip's windows, and of what they are."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from video_cam.attribution.attribution_result import MapKey
from video_cam.explanation.blending import Maps
from video_cam.explanation.quantised_maps import QuantisedMaps
from video_cam.layers.alignment import CellCentres


@dataclass(frozen=True)
class ClassTarget:
    """A class of the network."""

    class_id: int


@dataclass(frozen=True)
class FunctionTarget:
    """A function of the network's output; ``number`` counts the functions from 0."""

    number: int


MapTarget = ClassTarget | FunctionTarget


@dataclass(frozen=True)
class ModelInfo:
    """The network that was explained.

    Attributes:
        name: as in the registry, or of the network's class.
        weights: name of the weights, of their file, or "none" for random ones.
        layers: names of the mapped layers.
        num_frames: frames in one input.
        frame_rate: frames per second of the input.
        trained: False for random weights.
        score: what scores are, of ``choice_names.SCORE_KINDS``.
        shares: whether a score is the share of the clip's places where the class is predicted.
    """

    name: str
    weights: str
    layers: tuple[str, ...]
    num_frames: int
    frame_rate: Fraction
    trained: bool
    score: str = "softmax"
    shares: bool = False


@dataclass(frozen=True)
class Prediction:
    """A class of the clip.

    Attributes:
        class_id: of the network.
        label: the class's name.
        score: mean over the windows; a probability, unless ModelInfo.score says otherwise.
    """

    class_id: int
    label: str
    score: float


@dataclass(frozen=True)
class MapSeries:
    """The maps of one target, layer, method and detail in every window.

    Attributes:
        target: what is explained. Where windows differ, the class that most windows have; in a
            tie the one with the lowest id.
        label: the target's name for people.
        layer: name of the layer, or of the layers that were combined.
        method: of ``choice_names.METHOD_NAMES``.
        values: signed (W, T', H', W'), in units of the score times activation: float32, or
            quantised where the maps have more cells than their layer; ``values[w]`` is float32.
        centres: positions of the cells in input frames and pixels.
        class_ids: one per window where each is explained by its own class, else empty.
        frame_scores: float32 (W, N) of a network that scores every frame, else None.
        logits: float32 (W,) where the target is one class throughout, else None.
        bias: where the maps are complete, that is, where in every window the sum over all cells
            of the layer plus this number is the class's logit; None where they are not.
        detail: what made the maps finer than their layer, of ``choice_names.DETAIL_NAMES``.
        contributions: float32 (W, N), what each sample adds to the logit, where the maps are
            complete and have other cells than their layer; else None.
    """

    target: MapTarget
    label: str
    layer: str
    method: str
    values: Maps | QuantisedMaps
    centres: CellCentres
    class_ids: tuple[int, ...] = ()
    frame_scores: np.ndarray | None = None
    logits: np.ndarray | None = None
    bias: float | None = None
    detail: str = "none"
    contributions: np.ndarray | None = None

    @property
    def kind(self) -> MapKey:
        """What maps in the same units have in common: layer, method and detail."""
        return self.layer, self.method, self.detail

    @property
    def class_id(self) -> int | None:
        """The id of the explained class; None for a function of the network's output."""
        return self.target.class_id if isinstance(self.target, ClassTarget) else None


@dataclass(frozen=True)
class MapParts:
    """The parts into which the motion test divides the first map.

    Attributes:
        windows: the windows that were tested; at all other moments there are no parts.
        maps: the motion part, then the appearance part, with values of these windows only. At
            every frame they sum to the first map.
    """

    windows: tuple[int, ...]
    maps: tuple[MapSeries, ...]
