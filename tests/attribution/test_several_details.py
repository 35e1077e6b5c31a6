"""Several details from one pass: the maps of each alone, in order, at no further cost."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.support.networks import Nonlinear, clip, seeded
from video_cam import UsageError, compute_cams
from video_cam.choice_names import DETAIL_NAMES

OPTIONS = {"layers": ["layer3", "layer2"], "methods": ["gradcam", "layercam"], "targets": [1, None]}


def cams(network: nn.Module, **options):
    return compute_cams(network, clip(), align="half-pixel", **OPTIONS | options)


def test_each_detail_has_the_maps_that_it_has_alone() -> None:
    network = seeded(Nonlinear).eval()
    together = cams(network, detail=("input", "none", "layers"))
    assert [(one.layer, one.method, one.detail) for one in together[:6]] == [
        ("layer3", method, detail)
        for method in ("gradcam", "layercam")
        for detail in ("input", "none", "layers")
    ]
    assert len(together) == 2 * 2 * 2 * 3
    for detail in DETAIL_NAMES:
        alone = cams(network, detail=detail)
        own = [one for one in together if one.detail == detail]
        for one, other in zip(own, alone, strict=True):
            assert (one.layer, one.method) == (other.layer, other.method)
            assert torch.equal(one.class_ids, other.class_ids)
            assert one.centres.grid == other.centres.grid
            torch.testing.assert_close(one.values, other.values)


def test_several_details_take_the_passes_of_the_dearest_one() -> None:
    counts = {}
    for detail in (("layers",), ("none", "layers"), ("input",), ("none", "layers", "input")):
        network = seeded(Nonlinear).eval()
        runs: list[object] = []
        network.fc.register_forward_hook(lambda *call, runs=runs: runs.append(call))
        cams(network, detail=detail)
        counts[detail] = len(runs)
    assert counts[("layers",)] == counts["none", "layers"] < counts[("input",)]
    assert counts["none", "layers", "input"] == counts[("input",)]


def test_augmented_inputs_keep_the_details_apart() -> None:
    network = seeded(Nonlinear).eval()
    options = {"aug_smooth": True, "layers": ["layer3"], "targets": [1]}
    together = cams(network, detail=("layers", "input"), **options)
    for detail in ("layers", "input"):
        own = [one for one in together if one.detail == detail]
        for one, other in zip(own, cams(network, detail=detail, **options), strict=True):
            torch.testing.assert_close(one.values, other.values)


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ((), "no detail is named"),
        (("layers", "layers"), "names one twice"),
        (("layers", "fine"), "unknown detail 'fine'"),
        (3, "detail 3 must be"),
    ],
)
def test_a_wrong_detail_is_told(detail, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        cams(seeded(Nonlinear), detail=detail)
