"""The perturbation check on a CUDA device: the CPU's drops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support.device_checks import drops_on, full_float32, on
from tests.support.networks import PoolLinear, seeded
from video_cam.metrics.randomization_check import randomize_in_stages

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


def test_the_drops_are_those_of_the_cpu() -> None:
    with full_float32():
        found, expected = drops_on("cuda"), drops_on("cpu")
    for one, other in zip(vars(found).values(), vars(expected).values(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_randomised_networks_are_those_of_the_cpu() -> None:
    before = torch.cuda.get_rng_state()
    networks = [on(device, seeded(PoolLinear).float())[0] for device in ("cuda", "cpu")]
    for network in networks:
        assert list(randomize_in_stages(network, ["fc", "conv2", "conv1"]))
    for one, other in zip(*(network.parameters() for network in networks), strict=True):
        assert one.is_cuda and torch.equal(one.cpu(), other)
    assert torch.equal(torch.cuda.get_rng_state(), before)
