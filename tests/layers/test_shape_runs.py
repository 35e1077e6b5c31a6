"""Runs on other lengths and sizes: their shapes, and the network as it was."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.support.model_state import assert_same_state, state_of
from tests.support.output_networks import FrameFeatures
from video_cam.layers.shape_runs import ShapeRuns


class KeepsTables(FrameFeatures):
    """Keeps tables of its last input's size, as networks with position embeddings do."""

    def __init__(self) -> None:
        super().__init__()
        self.table: Tensor | None = None
        self.tables: dict[int, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, T, classes)."""
        self.table = torch.ones(x.shape[2], device=x.device)
        self.tables[x.shape[2]] = self.table
        return self.of_frames(x) * self.table[:, None]


class NeedsValues(KeepsTables):
    """Cannot run on shapes."""

    def forward(self, x: Tensor) -> Tensor:
        """As the class above."""
        return super().forward(x) * float(x.amax() + 1)


@pytest.mark.parametrize("build", [KeepsTables, NeedsValues])
def test_other_frames_and_sizes(build: type[KeepsTables]) -> None:
    network = build()
    before = state_of(network)
    runs = ShapeRuns(network, torch.empty(1, 3, 4, 16, 16))
    assert runs.on_shapes == (build is KeepsTables)
    assert runs.with_other_frames().shape == (1, 8, 3)
    assert runs.with_other_size().shape == (1, 4, 3)
    assert network.table is None and network.tables == {}
    assert_same_state(before, network)


class AtMostFour(FrameFeatures):
    """Takes at most four frames."""

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, T, classes)."""
        if x.shape[2] > 4:
            raise ValueError("too many")
        return self.of_frames(x)


def test_fewer_frames_where_more_do_not_run() -> None:
    assert ShapeRuns(AtMostFour(), torch.empty(1, 3, 4, 16, 16)).with_other_frames().shape[1] == 2
    assert ShapeRuns(AtMostFour(), torch.empty(1, 3, 8, 16, 16)).outputs is None
