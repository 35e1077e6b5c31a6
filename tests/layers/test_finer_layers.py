"""``finer_layers``: one layer for each finer scale before a layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.support.networks import seeded
from video_cam.layers.finer_layers import finer_layers
from video_cam.layers.layout import folds
from video_cam.layers.trace import trace
from video_cam.models.registry import load_model


class Stages(nn.Module):
    """A stem and three stages of two convolutions each, with strides of 2."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(3, 4, 3, (1, 2, 2), 1)
        self.stage1, self.stage2, self.stage3 = (
            nn.Sequential(nn.Conv3d(4, 4, 1), nn.Conv3d(4, 4, 3, (1, 2, 2), 1)) for _ in range(3)
        )
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.stage3(self.stage2(self.stage1(self.stem(x)))).mean((2, 3, 4)))


def found(network: nn.Module, layer: str, size: tuple[int, int, int]) -> tuple[str, ...]:
    dtype = next(network.parameters()).dtype
    modules = trace(network, torch.empty(1, 3, *size, dtype=dtype)).modules
    return finer_layers(layer, modules, folds(modules.values(), size))


def test_whole_stages_are_taken_before_the_layers_inside_the_next_one():
    assert found(seeded(Stages), "stage3", (4, 64, 64)) == ("stage2", "stage1")
    assert found(seeded(Stages), "stage3.1", (4, 64, 64)) == ("stage2", "stage1")


def test_layers_more_than_four_times_as_fine_are_left_out():
    network = load_model("motion3d").module
    assert found(network, "layer4", (16, 64, 64)) == ("layer3", "layer2")
    assert found(network, "layer3", (16, 64, 64)) == ("layer2", "stem")


def test_the_finest_layer_and_layers_without_a_grid_have_none():
    assert found(seeded(Stages), "stem", (4, 64, 64)) == ()
    assert found(seeded(Stages), "fc", (4, 64, 64)) == ()
