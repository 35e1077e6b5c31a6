"""What is known about a classifier before it is built: ``ModelSpec``, one for every known name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from torch import nn

from video_cam.models.input_layout import NCTHW, InputLayout
from video_cam.models.preprocessing import Preprocess
from video_cam.utils.notes import Note

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# For image networks. Frames are scored one by one, so any number and rate would do; these suit a
# batch and a video.
NUM_FRAMES = 16
FRAME_RATE = Fraction(15)


@dataclass(frozen=True)
class ModelSpec:
    """What is known about a classifier before it is built.

    Attributes:
        build: number of classes -> network with random weights.
        pretrained: name of weights -> where they are: a torchvision weights entry, a file, or a
            function that returns a state dict. The first one is the default.
        labels: class names, in the order of the network's outputs.
        num_frames: frames in one input, as in training.
        frame_rate: frames per second of the input, as in training.
        preprocess: resize, crop and normalisation, as in training.
        where_layer: the layer whose maps are best in space; None for one found by its output.
        when_layer: the layer whose maps are best in time; None for one found by its output.
        input_layout: how the network's forward takes a clip.
        space_first: of the tokens of a layer's output, those of one position in space lie together
            and time runs fastest.
        training_prefixes: prefixes of the names of weights that only training needs.
        code: SHA-256 of the configuration file that the network is built from, else empty; of the
            texts, too, where these are its classes.
        finish: makes the network that is used of the one with weights, on its device; None where
            that is the same one.
        score: how scores are shown, of ``choice_names.SCORE_KINDS``; None for what is usual for
            their number.
        method: what is taken where no method is named; None for that of the options.
        num_texts: the first classes that are texts which somebody looks for; 0 for other classes.
        notes: what readers of its results must know.
    """

    build: Callable[[int], nn.Module]
    pretrained: dict[str, Any]
    labels: tuple[str, ...]
    num_frames: int
    frame_rate: Fraction
    preprocess: Preprocess
    where_layer: str | None = None
    when_layer: str | None = None
    input_layout: InputLayout = NCTHW
    space_first: bool = False
    training_prefixes: tuple[str, ...] = ()
    code: str = ""
    finish: Callable[[nn.Module], nn.Module] | None = None
    score: str | None = None
    method: str | None = None
    num_texts: int = 0
    notes: tuple[Note, ...] = ()


# Assumed of a network that the user brings, where nothing else is said about it. It exists
# already, so ``build`` is not called.
USER_NETWORK = ModelSpec(
    build=lambda classes: nn.Identity(),
    pretrained={},
    labels=(),
    num_frames=16,
    frame_rate=Fraction(15),
    preprocess=Preprocess((224, 224), (224, 224), IMAGENET_MEAN, IMAGENET_STD),
)
