"""The perturbation check on a device that is not the CPU: the CPU's drops, few waits."""

from __future__ import annotations

import numpy as np

from tests.support.device_checks import check_on, drops_on
from tests.support.stand_in import DEVICE, counted_waits, needs_stand_in
from video_cam.metrics.perturbation_check import measure_drops

pytestmark = needs_stand_in


def test_the_drops_are_those_of_the_cpu() -> None:
    found, expected = drops_on(DEVICE), drops_on("cpu")
    for one, other in zip(vars(found).values(), vars(expected).values(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_regions_and_batches_are_not_waited_for_one_by_one() -> None:
    given = check_on(DEVICE)
    for forwards in (5, 16):
        with counted_waits() as waits:
            measure_drops(*given, forwards=forwards)
        assert len(waits) <= 3, waits  # the region, the logit, the drops
