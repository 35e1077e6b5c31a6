"""A network that folds a clip in another order of axes is refused, with the layout that fits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.support.model_state import assert_same_state, state_of
from tests.support.user_networks import SMALL_INPUT
from video_cam import UsageError, load_model


class Folding(nn.Module):
    """Makes images of a clip by ``view``, as TSN does; takes (N, T, 3, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, classes)."""
        images = (x.reshape(-1, 3, *x.shape[3:]) - 0.4) / 0.2
        scores = self.fc(self.conv(images).relu().mean((2, 3)))
        return scores.unflatten(0, (len(x), -1)).mean(1)


class FoldingRight(Folding):
    """Takes (N, 3, T, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, classes)."""
        return super().forward(x.transpose(1, 2))


def test_colours_from_several_frames_are_refused() -> None:
    network = Folding()
    before = state_of(network)
    words = r"of one image come from frames 0, 1, 2: give --layout-in NTCHW"
    with pytest.raises(UsageError, match=words):
        load_model(network, **SMALL_INPUT)
    assert_same_state(before, network)
    with pytest.raises(UsageError, match="give --layout-in NCTHW"):
        load_model(FoldingRight(), layout="NTCHW", **SMALL_INPUT)


@pytest.mark.parametrize(("build", "layout"), [(Folding, "NTCHW"), (FoldingRight, "NCTHW")])
def test_the_right_order_is_not(build: type[Folding], layout: str) -> None:
    torch.manual_seed(0)
    assert load_model(build(), layout=layout, **SMALL_INPUT).layer == "conv"
