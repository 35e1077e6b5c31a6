"""The perturbation check on a CUDA device: the CPU's drops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support.device_checks import drops_on, full_float32

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


def test_the_drops_are_those_of_the_cpu() -> None:
    with full_float32():
        found, expected = drops_on("cuda"), drops_on("cpu")
    for one, other in zip(vars(found).values(), vars(expected).values(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
