"""A network with all that turns a clip into its input and its output into names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import torch
from torch import nn

from video_cam.config import InputConfig
from video_cam.errors import UsageError
from video_cam.layers.layout import Fold, folds
from video_cam.layers.outputs import class_scores, default_score_kind
from video_cam.layers.reachability import layers_affecting_scores
from video_cam.layers.selection import (
    choose_layers,
    convolutions_from_back,
    default_candidates,
    frame_loop_message,
    min_cells_in_time,
)
from video_cam.layers.trace import ModuleOutput, example, input_dtype, trace
from video_cam.models.input_layout import AS_IT_IS, Packing, adapted, parse_layout
from video_cam.models.labels import read_labels
from video_cam.models.preprocessing import Preprocess
from video_cam.models.saved_networks import OWN
from video_cam.models.spec import Row

Labels = str | Path | Sequence[str] | None  # a file, or the names


@dataclass(frozen=True)
class Layers:
    """The layers to be mapped, and how the output of each becomes (N, K, T', H', W')."""

    names: tuple[str, ...]
    folds: dict[str, Fold]


@dataclass(frozen=True)
class Classifier:
    """A network with all that turns a clip into its input and its output into names.

    module: takes (N, 3, T, H, W). weights: the name of an entry, a file's name, or "none". labels:
    one name per class. layer, when: the layers that tell where and when best, empty where none
    does. score: of SCORE_KINDS.
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
    packing: Packing = AS_IT_IS
    space_first: bool = False
    score: str = "softmax"
    code: str = ""  # a digest of the user's own code
    known: bool = True  # by its name, code and weights: another of the same is the same
    note: str = ""  # what a reader of its results has to know
    max_batch: int | None = None  # clips its forward takes at a time, where that is limited

    def batch(self, wanted: int) -> int:
        """How many clips to give it at a time where ``wanted`` are wanted."""
        return min(wanted, self.max_batch or wanted)

    @property
    def trained(self) -> bool:
        """False for random weights."""
        return self.weights != "none"

    @property
    def framewise(self) -> bool:
        """Whether each frame is scored by itself: windows need not overlap, and may be short."""
        return self.packing.layout == "frames"

    @property
    def device(self) -> torch.device:
        """Where the network's parameters are."""
        return next((p.device for p in self.module.parameters()), torch.device("cpu"))

    @property
    def dtype(self) -> torch.dtype:
        """What its input has to be."""
        return input_dtype(self.module)

    @property
    def identity(self) -> str:
        """The same text for the same network code in every process; empty where unknown.

        Weights are not part of it.
        """
        return f"{self.name} {self.code} {self.packing}" if self.known else ""

    @property
    def _library_name(self) -> str:
        return self.name if self.known and not self.code else ""

    def trace(self, size: Sequence[int]) -> tuple[dict[str, ModuleOutput], dict[str, Fold]]:
        """What every module puts out for a (T, H, W) input, and how outputs fold into grids."""
        seen = trace(self.module, example(self.module, size), self._library_name).modules
        return seen, folds(seen.values(), size, self.space_first)

    def layers(
        self,
        size: Sequence[int],
        wanted: Sequence[str | int] | None = None,
        conv_backcount: Sequence[int] = (),
    ) -> Layers:
        """The layers that are meant, for a (T, H, W) input; see layer_choice.

        "where" and "when" stand for the network's own. Raises UsageError for wrong ones.
        """
        seen, found = self.trace(size)
        known = [name for name, _ in self.module.named_modules()]
        names = convolutions_from_back(conv_backcount, seen, found)
        if wanted or not names:
            if not self.layer and not wanted:
                looped = [one for one in seen.values() if one.calls == size[0] > 1]
                pictures = [one for one in looped if len(one.shape) == 4]
                if pictures:
                    raise UsageError(frame_loop_message(pictures[-1]))
                raise UsageError(
                    "no layer of the network puts out a grid of places that leads to its scores: "
                    "a map needs one, such as a convolution's output; --layer names one"
                )
            own_names = {"where": self.layer, "when": self.when}
            asked = [own_names.get(str(name), str(name)) for name in wanted or ("where",)]
            names += choose_layers(asked, seen, found, known, size[0])
        names = tuple(dict.fromkeys(names))
        return Layers(names, {name: found[name] for name in names})


def make_classifier(
    module: nn.Module,
    name: str,
    weights: str,
    row: Row,
    said: InputConfig,
    labels: Labels,
    check_layer: bool = False,
) -> Classifier:
    """``row`` for this network, with what is said about its input in the row's place.

    The network runs once on shapes: how many classes it has, and which layers have a grid.
    labels: None for the row's, or numbers where their count is another. check_layer: a default
    layer is taken only if the scores depend on it.
    """
    packing = row.packing if said.layout is None else parse_layout(said.layout)
    preprocess = _adjusted(row.preprocess, said)
    num_frames = said.num_frames or row.num_frames
    module = adapted(module, packing)
    size = (num_frames, *preprocess.crop)
    found = trace(module, example(module, size), "" if row is OWN else name)
    classes = class_scores(found.outputs).shape[1]
    grids = folds(found.modules.values(), size, row.space_first)
    where = row.where or _default_layer(module, size, found.modules, grids, check_layer)
    return Classifier(
        module,
        name,
        weights,
        _names(labels, row, classes),
        num_frames,
        said.frame_rate or row.frame_rate,
        preprocess,
        where,
        row.when or _layer_for_when(where, found.modules, grids, num_frames),
        packing,
        row.space_first,
        said.score or default_score_kind(classes),
        known=row is not OWN,
    )


def _default_layer(
    module: nn.Module,
    size: Sequence[int],
    seen: Mapping[str, ModuleOutput],
    grids: Mapping[str, Fold],
    check: bool,
) -> str:
    names = default_candidates(seen, grids)
    if check or any(grids[name].axes == "tokens" for name in names[:1]):
        # Of class-token networks the last blocks' grid leads nowhere.
        names = layers_affecting_scores(module, size, names, grids)
    return names[0] if names else ""


def _layer_for_when(
    where: str, seen: Mapping[str, ModuleOutput], grids: Mapping[str, Fold], frames: int
) -> str:
    """``where`` if it has cells enough in time, else the last layer that has, else ``where``."""
    fine = [
        n for n in default_candidates(seen, grids) if grids[n].grid[0] >= min_cells_in_time(frames)
    ]
    return where if where in fine or not fine else fine[0]


def _names(labels: Labels, row: Row, classes: int) -> tuple[str, ...]:
    """One name for each class; UsageError where those given are more or fewer."""
    if labels is None:
        known = row.labels if len(row.labels) == classes else None
        return known or tuple(f"class {i}" for i in range(classes))
    names = read_labels(labels) if isinstance(labels, str | Path) else tuple(labels)
    if len(names) != classes:
        source = f"label file {str(labels)!r}" if isinstance(labels, str | Path) else "labels"
        raise UsageError(f"{source} has {len(names)} names, the network has {classes} classes")
    return names


def _adjusted(known: Preprocess, said: InputConfig) -> Preprocess:
    """``known`` with what is said in its place; the margin of the crop stays as it was."""
    size = said.size or known.crop
    return replace(
        known,
        resize=_resize(known, size),
        crop=size,
        mean=said.mean or known.mean,
        std=said.std or known.std,
    )


def _resize(known: Preprocess, size: tuple[int, int]) -> tuple[int, int] | int:
    """The resize for another crop: the same margin around it."""
    scale = [new / old for new, old in zip(size, known.crop, strict=True)]
    if isinstance(known.resize, tuple):
        return round(known.resize[0] * scale[0]), round(known.resize[1] * scale[1])
    return round(known.resize * max(scale))
