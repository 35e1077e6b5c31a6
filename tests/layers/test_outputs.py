"""Outputs of every kind that networks have: maps and scores are those of plain scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.networks import PoolLinear, clip, seeded
from video_cam import compute_cams


@dataclass(frozen=True)
class _Output:
    loss: Tensor | None
    logits: Tensor


WRAPPED = {
    "dataclass": lambda y: _Output(None, y),
    "dict": lambda y: {"aux": y * 0, "logits": y},
    "dict of one": lambda y: {"any name": y},
    "tuple": lambda y: (y, y * 0),
    "list": lambda y: [y],
    "per frame": lambda y: torch.stack([y - 1, y + 1], 1),
    "with a grid of one cell": lambda y: y[:, :, None, None, None],
}


class _Wrapping(PoolLinear):
    def __init__(self, wrap: Any) -> None:
        super().__init__()
        self.wrap = wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(super().forward(x))


@pytest.mark.parametrize("kind", WRAPPED)
@pytest.mark.parametrize("method", ["gradcam", "ablationcam", "scorecam"])
def test_outputs_of_every_kind(kind: str, method: str) -> None:
    network = seeded(_Wrapping, wrap=WRAPPED[kind])
    options = {"layers": ["conv2"], "methods": [method], "align": "half-pixel"}
    ours = compute_cams(network, clip(), targets=[None, 2], **options)
    expected = compute_cams(seeded(PoolLinear), clip(), targets=[None, 2], **options)
    for one, other in zip(ours, expected, strict=True):
        assert (other.values != 0).any()
        torch.testing.assert_close(one.values, other.values)
        torch.testing.assert_close(one.scores, other.scores)
