"""The same work on the CPU and on another device, and how far its numbers are apart."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.support.attention_networks import Joint
from tests.support.networks import Nonlinear, PoolLinear, clip, seeded
from video_cam import ActivationMap, Explanation, compute_cams
from video_cam.choice_names import ATTENTION_METHOD_NAMES, INPUT_METHOD_NAMES
from video_cam.metrics.perturbation_check import Drops, measure_drops
from video_cam.perturbation.scoring import Score

TOLERANCE = 1e-4  # of the largest value on the CPU, in float32

OnDevice = Callable[[str], Any]


@contextmanager
def full_float32() -> Iterator[None]:
    """Without TF32, which computes with 10 bits of a number."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def distance(found: Tensor | np.ndarray, expected: Tensor | np.ndarray) -> float:
    """The largest difference, as a share of the largest expected value."""
    found, expected = (torch.as_tensor(values).double().cpu() for values in (found, expected))
    assert found.shape == expected.shape and expected.isfinite().all()
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-12))


def correlation(found: Tensor | np.ndarray, expected: Tensor | np.ndarray) -> float:
    """Pearson's correlation of all values."""
    pair = [torch.as_tensor(values).double().cpu().flatten() for values in (found, expected)]
    return float(torch.corrcoef(torch.stack(pair))[0, 1])


def network_for(method: str) -> tuple[nn.Module, list[str]]:
    """A small float32 network on which a method's map is defined, and its layers."""
    if method == "cam":  # needs scores that are linear in the layer's average
        return seeded(PoolLinear).float(), ["relu"]
    if method in ATTENTION_METHOD_NAMES:
        return seeded(Joint).float(), []
    return seeded(Nonlinear).float(), ["layer2", "layer3"]


def on(device: str, *moved: Any) -> Any:
    """Copies of networks and tensors of the CPU on a device."""
    return [copy.deepcopy(one).to(device) for one in moved]


def cams_on(
    device: str, method: str, network: nn.Module | None = None, **options: Any
) -> list[ActivationMap]:
    """The maps of two clips and two targets."""
    built, layers = network_for(method)
    model, x = on(device, network or built, clip().float())
    given = {"layers": layers, "targets": [None, 1], "align": "half-pixel", **options}
    if method in INPUT_METHOD_NAMES:
        del given["layers"]
        given |= {"masks": 6, "batch_size": 8}
        x = x[:, :, :2, :4, :4]  # of few cells
    return compute_cams(model, x, methods=[method], **given)


def check_on(device: str) -> tuple[Score, Tensor, Tensor]:
    """What the perturbation check takes: a logit, a clip, and a map of noise."""
    model, x = on(device, seeded(PoolLinear).float(), clip(size=(8, 24, 20)).float())
    volume = x[1].abs().mean(0)
    with torch.no_grad():
        offset = model(x[:1])[:, 2].abs() + 1  # the logit is above 0
    return lambda clips: model(clips)[:, 2] + offset, x[0], volume


def drops_on(device: str) -> Drops:
    """The perturbation check of a network and a map of noise."""
    drops = measure_drops(*check_on(device), forwards=9)
    assert drops is not None
    return drops


def assert_same_explanation(found: Explanation, expected: Explanation) -> None:
    """The same windows, classes and cells, and numbers within TOLERANCE."""
    assert np.array_equal(found.frame_indices, expected.frame_indices)
    assert distance(found.probabilities, expected.probabilities) < TOLERANCE
    assert len(found.maps) == len(expected.maps)
    for one, other in zip(found.maps, expected.maps, strict=True):
        assert (one.target, one.layer, one.method) == (other.target, other.layer, other.method)
        values = (np.asarray(series.values) for series in (one, other))
        assert distance(*values) < TOLERANCE, (one.layer, one.method)
        for axis in "tyx":
            centres = getattr(one.centres, axis), getattr(other.centres, axis)
            np.testing.assert_allclose(*centres, atol=1e-2)
