"""Small networks that return their scores in the ways of real ones; the scores are always ``y``."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

CLASSES = 3


class FrameFeatures(nn.Module):
    """Features (N, 6, T, H / 4, W / 4); scores of clips, frames and places from one linear head."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.features = nn.Conv3d(3, 6, 3, stride=(1, 4, 4), padding=1)
        self.head = nn.Linear(6, classes)

    def grid(self, x: Tensor) -> Tensor:
        """(N, 6, T, H', W')."""
        return self.features(x).tanh()

    def of_clips(self, x: Tensor) -> Tensor:
        """(N, classes)."""
        return self.head(self.grid(x).mean((2, 3, 4)))

    def of_frames(self, x: Tensor) -> Tensor:
        """(N, T, classes)."""
        return self.head(self.grid(x).mean((3, 4)).transpose(1, 2))

    def of_places(self, x: Tensor) -> Tensor:
        """(N, classes, T, H', W')."""
        return self.head(self.grid(x).movedim(1, -1)).movedim(-1, 1)

    def forward(self, x: Tensor) -> Any:
        """(N, classes)."""
        return self.of_clips(x)


@dataclass
class Result:
    """What detection toolkits return."""

    features: Tensor
    class_scores: Tensor


def _with_features(net: FrameFeatures, x: Tensor) -> tuple[Tensor, Tensor]:
    features = net.grid(x).mean((2, 3, 4))
    return features, net.head(features)


# Name -> the output for an input, as the network makes it.
FORWARDS: dict[str, Any] = {
    "classes before time": lambda net, x: net.of_frames(x).transpose(1, 2),
    "classes before half the time": lambda net, x: net.of_frames(x)[:, ::2].transpose(1, 2),
    "half the time before classes": lambda net, x: net.of_frames(x)[:, ::2],
    "one time for each clip": lambda net, x: net.of_clips(x)[:, None],
    "classes before one time": lambda net, x: net.of_clips(x)[:, :, None],
    "rows of frames": lambda net, x: net.of_frames(x).flatten(0, 1),
    "no axis for one clip": lambda net, x: net.of_clips(x).squeeze(),
    "features before scores": _with_features,
    "scores before features": lambda net, x: _with_features(net, x)[::-1],
    "scores and None": lambda net, x: (net.of_clips(x), None),
    "two equal heads": lambda net, x: [y := net.of_clips(x), y * 0],
    "dict with cls_score": lambda net, x: dict(
        zip(("feat", "cls_score"), _with_features(net, x), strict=True)
    ),
    "dict with other names": lambda net, x: dict(
        zip(("embedding", "actions"), _with_features(net, x), strict=True)
    ),
    "dict with the box of a class": lambda net, x: {
        "cls": (y := net.of_clips(x)),
        "reg": y[:, :1],
    },
    "dict in a tuple": lambda net, x: ({"action": net.of_clips(x)}, {}),
    "dataclass": lambda net, x: Result(*_with_features(net, x)),
    "object": lambda net, x: SimpleNamespace(zeta=net.of_clips(x), note="text"),
    "softmax": lambda net, x: net.of_clips(x).softmax(1),
    "softmax of frames, classes first": lambda net, x: net.of_frames(x).softmax(2).transpose(1, 2),
    "softmax written out": lambda net, x: (e := net.of_clips(x).exp()) / e.sum(1, keepdim=True),
    "mean of the softmax of frames": lambda net, x: net.of_frames(x).softmax(2).mean(1),
    "softmax of one cell": lambda net, x: (
        net.of_clips(x)[..., None, None, None].softmax(1).mean((2, 3, 4)).view(len(x), -1)
    ),
    "log softmax": lambda net, x: net.of_clips(x).log_softmax(1),
    "sigmoid": lambda net, x: net.of_clips(x).sigmoid(),
    "places": lambda net, x: net.of_places(x),
    "places as large as the input": lambda net, x: interpolate(net.of_places(x), x.shape[2:]),
    "places of the whole clip": lambda net, x: net.of_places(x).mean(2),
    "places, time before classes": lambda net, x: net.of_places(x).transpose(1, 2),
    "softmax of places": lambda net, x: {"out": net.of_places(x).softmax(1)},
    "one cell and parts": lambda net, x: net.of_frames(x)[:, ::2].mT[..., None, None],
    "one cell between": lambda net, x: net.of_frames(x)[:, :, None],
    "token scores": lambda net, x: net.of_places(x).flatten(2).transpose(1, 2),
}


class Returning(FrameFeatures):
    """Returns what an entry of FORWARDS makes."""

    def __init__(self, kind: str, classes: int = CLASSES) -> None:
        super().__init__(classes)
        self.kind = kind

    def forward(self, x: Tensor) -> Any:
        """The output of this kind."""
        return FORWARDS[self.kind](self, x)


class TwoHeads(FrameFeatures):
    """Two sets of classes, neither of which is said to be the one."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Scores of verbs (N, 3) and of nouns (N, 5)."""
        features = self.grid(x).mean((2, 3, 4))
        return {"verb": self.head(features), "noun": self.second(features)}


class TrainReturnsNothing(FrameFeatures):
    """Methods of nn.Module that it overrides return nothing, as those of TSN and TSM."""

    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        """Without a result."""
        super().train(mode)

    def eval(self) -> None:  # type: ignore[override]
        """Without a result."""
        super().eval()

    def to(self, *args: Any, **kwargs: Any) -> None:
        """Without a result."""
        super().to(*args, **kwargs)

    def requires_grad_(self, requires_grad: bool = True) -> None:  # type: ignore[override]
        """Without a result."""
        super().requires_grad_(requires_grad)


def places_mean(scores: Tensor) -> Tensor:
    """For scores (N, P, classes) of places: means (N, classes) where each class is predicted."""
    means = []
    for sample in scores:
        best = sample.argmax(1)
        columns = [
            sample[best == c, c].mean() if (best == c).any() else sample[:, c].mean()
            for c in range(sample.shape[1])
        ]
        means.append(torch.stack(columns))
    return torch.stack(means)
