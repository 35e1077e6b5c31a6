"""The perturbation check on a device that is not the CPU: the CPU's drops, few waits."""

from __future__ import annotations

import numpy as np
import torch

from tests.support.device_checks import check_on, drops_on, on
from tests.support.networks import PoolLinear, seeded
from tests.support.stand_in import DEVICE, counted_waits, needs_stand_in, random_state
from video_cam.metrics.perturbation_check import measure_drops
from video_cam.metrics.randomization_check import randomize_in_stages

pytestmark = needs_stand_in


def test_the_drops_are_those_of_the_cpu() -> None:
    found, expected = drops_on(DEVICE), drops_on("cpu")
    for one, other in zip(vars(found).values(), vars(expected).values(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_randomised_networks_do_not_depend_on_the_device() -> None:
    names, networks = ["fc", "conv2", "conv1"], []
    for device in (DEVICE, "cpu"):
        [network] = on(device, seeded(PoolLinear).float())
        before = torch.get_rng_state(), random_state()
        for _ in randomize_in_stages(network, names):
            assert torch.equal(torch.get_rng_state(), before[0])
            assert torch.equal(random_state(), before[1])
        assert {str(parameter.device) for parameter in network.parameters()} == {device}
        networks.append(network.to("cpu"))
    for one, other in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.equal(one, other)


def test_regions_and_batches_are_not_waited_for_one_by_one() -> None:
    given = check_on(DEVICE)
    for forwards in (5, 16):
        with counted_waits() as waits:
            measure_drops(*given, forwards=forwards)
        assert len(waits) <= 3, waits  # the region, the logit, the drops
