"""Networks whose forward takes tensors in a dict, by name or as one argument."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.support.networks import PoolLinear, clip, seeded
from video_cam import compute_cams


class _Named(PoolLinear):
    def forward(self, pixel_values: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().forward(pixel_values if mask is None else pixel_values * mask)


class _OneDict(PoolLinear):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return super().forward(batch["frames"])


@pytest.mark.parametrize("method", ["gradcam", "smoothgradcam++", "ablationcam", "scorecam"])
def test_inputs_in_dicts(method: str) -> None:
    options = {"layers": ["conv2"], "methods": [method], "targets": [1], "align": "half-pixel"}
    [expected] = compute_cams(seeded(PoolLinear), clip(), **options)
    named = {"pixel_values": clip(), "mask": torch.ones(2, 1, 1, 1, 1, dtype=torch.int64)}
    if method == "scorecam":
        del named["mask"]
    for network, x in ((_Named, named), (_OneDict, {"frames": clip()})):
        [cam] = compute_cams(seeded(network), x, **options)
        torch.testing.assert_close(cam.values, expected.values)
