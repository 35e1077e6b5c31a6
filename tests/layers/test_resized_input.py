"""The axis of a layer's output that grows with an axis of the input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.support.networks import Nonlinear, PoolLinear, seeded
from tests.support.odd_layers import TimeLast
from video_cam.layers.layout import Fold
from video_cam.layers.resized_input import axes_agree

X = torch.empty(1, 3, 8, 32, 32)


def test_convolutions_agree() -> None:
    folds = {"layer1": Fold("first", (8, 16, 16)), "layer3": Fold("first", (4, 8, 8))}
    assert axes_agree(seeded(Nonlinear), X.double(), folds) == (folds, set())


def test_time_behind_space_is_refuted() -> None:
    found = axes_agree(seeded(TimeLast), X.double(), {"conv": Fold("first", (8, 8, 8))})
    assert found == ({}, {"conv"})


def test_frames_as_samples_and_channels_behind_the_grid() -> None:
    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.last = nn.Conv2d(3, 4, 4, 4), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.conv(x.transpose(1, 2).flatten(0, 1)).permute(0, 2, 3, 1))

    folds = {"conv": Fold("first", (8, 8, 8), 8), "last": Fold("last", (8, 8, 8), 8)}
    assert axes_agree(Frames(), X, folds) == (folds, set())


def test_a_network_for_one_size_leaves_it_open() -> None:
    class Fixed(PoolLinear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.reshape(1, 3, 8, 32, 32))

    found = axes_agree(seeded(Fixed), X.double(), {"conv1": Fold("first", (8, 16, 16))})
    assert found == ({}, set())


class OneNumberOfFrames(PoolLinear):
    """Takes more frames for more clips."""

    def forward(self, x: Tensor) -> Tensor:
        """As without that."""
        return super().forward(x.transpose(1, 2).reshape(-1, 8, 3, *x.shape[3:]).transpose(1, 2))


class OneSize(PoolLinear):
    """Takes more of anything for more clips."""

    def forward(self, x: Tensor) -> Tensor:
        """As without that."""
        return super().forward(x.reshape(-1, 3, 8, 32, 32))


def test_more_frames_that_are_taken_for_more_clips_refute_nothing() -> None:
    folds = {"conv1": Fold("first", (8, 16, 16))}
    assert axes_agree(seeded(OneNumberOfFrames), X.double(), folds) == (folds, set())
    assert axes_agree(seeded(OneSize), X.double(), folds) == ({}, set())
