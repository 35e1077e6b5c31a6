"""``Classifier``: a network with its preprocessing, class names and best layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import torch
from torch import nn

from video_cam.config import InputConfig
from video_cam.errors import DoesNotFit, UsageError
from video_cam.layers.finer_layers import finer_layers
from video_cam.layers.layout import Fold, Layout, folds, layouts
from video_cam.layers.measured_layout import refusal, settled_folds
from video_cam.layers.output_reading import OutputReading
from video_cam.layers.selection import choose_layers, convolutions_from_back
from video_cam.layers.trace import ModuleOutput, example, input_dtype, trace
from video_cam.models.default_layers import (
    default_layer,
    layer_in_time,
    likely_grids,
    no_default_layer,
)
from video_cam.models.fitting_input import misfit
from video_cam.models.frame_mixing import refuse_mixed_frames
from video_cam.models.input_factory import InputFactory
from video_cam.models.input_layout import NCTHW, InputLayout, adapt_module, parse_input_layout
from video_cam.models.labels import count_labels, read_labels
from video_cam.models.preprocessing import Preprocess, adjusted
from video_cam.models.scored_output import read_output
from video_cam.models.spec import USER_NETWORK, ModelSpec
from video_cam.utils.notes import Note

Labels = str | Path | Sequence[str] | None  # a label file, or the names


@dataclass(frozen=True)
class ChosenLayers:
    """Layers to make maps of.

    Attributes:
        names: their module names.
        folds: layer -> how its output becomes (N, K, T', H', W').
    """

    names: tuple[str, ...]
    folds: dict[str, Fold]


@dataclass(frozen=True)
class Classifier:
    """A network with what turns a clip into its input, and its output into named classes.

    Attributes:
        module: takes (N, 3, T, H, W).
        name: as ``load_model`` got it, or the class or file of a network at hand.
        weights: the name of a pretrained entry, a file's name, "its own", or "none".
        labels: one name per class, in the order of the outputs; empty for a network without class
            scores, of which only functions of the output can be explained.
        num_frames: frames in one input.
        frame_rate: frames per second of the input.
        preprocess: frames to the network's input.
        layer, when: the layers whose maps are best in space and in time; empty where no layer has
            a grid that the scores depend on.
        input_layout: how the network's own forward takes a clip.
        space_first: as in ModelSpec.
        score: how scores are shown, of ``choice_names.SCORE_KINDS``.
        reading: how class scores are read from the network's own output; None where it is scores.
        code: SHA-256 of the user's files that the network is made of, else empty.
        known: ``name``, ``code`` and the weights identify the network, so that what was learned of
            it in another process is true of it.
        notes: what readers of its results must know.
        bypass: the share of the scores' gradient that goes round ``layer``, of its norm; 0 where
            the layer was not chosen by its output.
        method: as in ModelSpec.
        num_texts: the first classes are texts that somebody looks for, this many; 0 for others.
        max_batch: the most clips that its forward takes at a time; None for any number.
    """

    module: nn.Module
    name: str
    weights: str
    labels: tuple[str, ...]
    num_frames: int
    frame_rate: Fraction
    preprocess: Preprocess
    layer: str
    when: str
    input_layout: InputLayout = NCTHW
    space_first: bool = False
    score: str = "softmax"
    reading: OutputReading | None = None
    code: str = ""
    known: bool = True
    notes: tuple[Note, ...] = ()
    bypass: float = 0.0
    method: str | None = None
    num_texts: int = 0
    max_batch: int | None = None

    def batch(self, wanted: int) -> int:
        """How many clips to give it at a time where ``wanted`` are wanted."""
        return min(wanted, self.max_batch or wanted)

    @property
    def trained(self) -> bool:
        """False for random weights."""
        return self.weights != "none"

    @property
    def framewise(self) -> bool:
        """Whether it scores each frame alone, so that windows may be short and need no overlap."""
        return self.input_layout.layout == "frames"

    @property
    def device(self) -> torch.device:
        """The device of its parameters; the CPU for a network without any."""
        return next((p.device for p in self.module.parameters()), torch.device("cpu"))

    @property
    def place(self) -> str:
        """Where it runs, for people: its device, or the program that runs it."""
        return getattr(self.module, "place", None) or str(self.device)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of its input."""
        return input_dtype(self.module)

    @property
    def identity(self) -> str:
        """The same text for the same network code in every process; empty where unknown.

        Weights are not part of it.
        """
        return f"{self.name} {self.code} {self.input_layout}" if self.known else ""

    @property
    def _library_name(self) -> str:
        return self.name if self.known and not self.code else ""

    def trace(self, size: Sequence[int]) -> tuple[dict[str, ModuleOutput], dict[str, Fold]]:
        """The outputs of every module for an input of ``size`` (T, H, W).

        Returns:
            Module name -> shape of its output, in order of finishing; and module name -> how its
            output becomes (N, K, T', H', W'), for those that have a grid.
        """
        seen = trace(self.module, example(self.module, size), self._library_name).modules
        return seen, folds(seen.values(), size, self.space_first)

    def layers(
        self,
        size: Sequence[int],
        wanted: Sequence[str | int] | None = None,
        conv_backcount: Sequence[int] = (),
    ) -> ChosenLayers:
        """The layers that a user names, for an input of ``size`` (T, H, W).

        Args:
            wanted: as ``choose_layers`` takes them; "where" and "when" mean the network's own.
                None: the default layer, unless ``conv_backcount`` names some.
            conv_backcount: convolutions counted from the back; 1 is the one that runs last.

        Raises:
            UsageError: for a layer that does not exist or has no grid, and where there is no
                default layer.
        """
        seen, found = self.trace(size)
        names = convolutions_from_back(conv_backcount, seen, found)
        if wanted or not names:
            if not self.layer and not wanted:
                raise no_default_layer(self.module, size, seen, found)
            own_names = {"where": self.layer, "when": self.when}
            meant = [own_names.get(str(name), str(name)) for name in wanted or ("where",)]
            all_names = [name for name, _ in self.module.named_modules()]
            names += choose_layers(meant, seen, found, all_names, size[0])
        names = tuple(dict.fromkeys(names))
        return ChosenLayers(names, self._settled(names, seen, size))

    def finer_layers(
        self, size: Sequence[int], layers: Sequence[str]
    ) -> tuple[dict[str, tuple[str, ...]], dict[str, Fold]]:
        """The finer layers that detail combines each layer with, and their folds.

        Args:
            size: (T, H, W) of the input.
            layers: module names.
        """
        seen, found = self.trace(size)
        wanted = {layer: finer_layers(layer, seen, found) for layer in layers}
        names = tuple(dict.fromkeys(name for several in wanted.values() for name in several))
        settled = self.settled(names, size)
        finer = {
            layer: tuple(name for name in several if name in settled)
            for layer, several in wanted.items()
        }
        return finer, settled

    def settled(self, names: Sequence[str], size: Sequence[int]) -> dict[str, Fold]:
        """How these layers' outputs become grids, without those that measurement refutes."""
        seen = trace(self.module, example(self.module, size), self._library_name).modules
        possible = layouts(seen.values(), size, self.space_first)
        trusted = {
            name: possible[name].folds[0] for name in names if self._is_trusted(name, possible)
        }
        wanted = [name for name in names if name not in trusted]
        return trusted | settled_folds(self.module, possible, wanted, size, identity=self.identity)

    def _settled(
        self, names: Sequence[str], seen: Mapping[str, ModuleOutput], size: Sequence[int]
    ) -> dict[str, Fold]:
        """As ``settled``. Raises UsageError for a layer that measurement refutes."""
        found = self.settled(names, size)
        for name in names:
            if name not in found:
                possible = layouts(seen.values(), size, self.space_first)
                raise refusal(name, seen[name].shape, possible[name])
        return {name: found[name] for name in names}

    def _is_trusted(self, name: str, possible: Mapping[str, Layout]) -> bool:
        """Whether the fold needs no measurement: a known network's own layer or a convolution."""
        own = name in (self.layer, self.when)
        return bool(self._library_name) and (own or possible[name].certain)


def make_classifier(
    module: nn.Module,
    name: str,
    weights: str,
    spec: ModelSpec,
    input_config: InputConfig,
    labels: Labels,
    check_layer: bool = False,
) -> Classifier:
    """A classifier from a network, which is traced once, and its spec.

    Args:
        module: the network; its forward may take any layout.
        name, weights: as in Classifier.
        spec: of the network; ``spec.USER_NETWORK`` where nothing is known.
        input_config: replaces what the spec says.
        labels: None for the spec's, or "class 0", "class 1", ... where their number differs.
        check_layer: choose only a default layer that the scores depend on (one forward and one
            backward pass on noise).

    Raises:
        UsageError: where the network does not run on such an input, its output is no class scores,
            or the number of labels differs from the number of classes.
    """
    layout = input_config.layout
    input_layout = spec.input_layout if layout is None else parse_input_layout(layout)
    input_layout = replace(
        input_layout,
        channels=input_config.channels or input_layout.channels,
        factory=None
        if input_config.input_factory is None
        else InputFactory(input_config.input_factory),
    )
    preprocess = adjusted(spec.preprocess, input_config)
    num_frames = input_config.num_frames or spec.num_frames
    size = (num_frames, *preprocess.crop)
    library_name = "" if spec is USER_NETWORK else name
    num_labels = None if labels is None else count_labels(labels)
    own, module = module, adapt_module(module, input_layout)
    try:
        found = trace(module, example(module, size), library_name)
        scored = read_output(module, size, input_config, num_labels, bool(library_name))
    except DoesNotFit as error:
        raise misfit(own, input_layout, size, error) from error
    if not library_name and input_layout.channels == "rgb" and input_layout.factory is None:
        refuse_mixed_frames(module, size, input_layout.layout)
    module = scored.module
    grids = likely_grids(module, found.modules, size, spec, library_name)
    choice = scored.without_scores_of_places(found.modules, grids)
    where, bypass = spec.where_layer or "", 0.0
    if not where:
        where, bypass = default_layer(module, size, found.modules, choice, check_layer)
    return Classifier(
        module,
        name,
        weights,
        _class_names(labels, spec, scored.classes),
        num_frames,
        input_config.frame_rate or spec.frame_rate,
        preprocess,
        layer=where,
        bypass=bypass,
        when=spec.when_layer
        or layer_in_time(where, module, size, found.modules, choice, check_layer),
        input_layout=input_layout,
        space_first=spec.space_first,
        score=scored.score,
        reading=scored.reading,
        notes=scored.notes,
        known=spec is not USER_NETWORK,
        max_batch=None if input_layout.factory is None else 1,
    )


def _class_names(labels: Labels, spec: ModelSpec, classes: int) -> tuple[str, ...]:
    if labels is None:
        known = spec.labels if len(spec.labels) == classes else None
        return known or tuple(f"class {i}" for i in range(classes))
    names = read_labels(labels) if isinstance(labels, str | Path) else tuple(labels)
    if len(names) != classes:
        source = f"label file {str(labels)!r}" if isinstance(labels, str | Path) else "labels"
        raise UsageError(f"{source} has {len(names)} names, the network has {classes} classes")
    return names
