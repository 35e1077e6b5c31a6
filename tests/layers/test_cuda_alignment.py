"""The measured alignment on a CUDA device: the CPU's centres."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support.centre_taps import SIZE, centre_taps
from tests.support.device_checks import full_float32, on
from video_cam.layers.axes import to_grid
from video_cam.layers.measured_alignment import measure

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


def test_the_centres_are_those_of_the_cpu() -> None:
    with full_float32():
        found, expected = (
            measure(*on(device, centre_taps("same")), ["last"], SIZE, to_grid, samples=1)["last"]
            for device in ("cuda", "cpu")
        )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.centres, other.centres, atol=1e-2)
        assert one.width == pytest.approx(other.width, abs=5e-2)
