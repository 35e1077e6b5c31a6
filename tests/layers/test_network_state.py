"""What a network keeps at a forward pass is gone afterwards, whatever ran it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from tests.support.keeping_networks import Keeping, assert_same_attributes, attributes_of
from video_cam import compute_cams, guided_backprop, load_model, smooth_gradient
from video_cam.attribution.full_gradient import full_gradient
from video_cam.layers.axes import run_network, to_grid
from video_cam.layers.layout import Fold
from video_cam.layers.measured_alignment import measure
from video_cam.layers.network_state import left_as_found
from video_cam.layers.reachability import layers_affecting_scores
from video_cam.layers.receptive_field import trace_receptive_fields
from video_cam.layers.trace import trace
from video_cam.metrics.perturbation_check import _logit

SIZE = (4, 16, 16)
FOLDS = {"relu": Fold("first", (2, 4, 4))}


def maps(model: nn.Module, *methods: str, **options: object) -> None:
    compute_cams(model, clip(), layers=["relu"], methods=methods, targets=[1], **options)


def clip() -> Tensor:
    return torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(0))


RUNS: dict[str, Callable[[nn.Module], object]] = {
    "maps": lambda m: maps(m, "gradcam", "shapleycam"),
    "ablation": lambda m: maps(m, "ablationcam", align="half-pixel"),
    "masking": lambda m: maps(m, "scorecam", align="half-pixel"),
    "fullgrad": lambda m: full_gradient(m, clip(), 1),
    "guided": lambda m: guided_backprop(m, clip(), 1),
    "smoothgrad": lambda m: smooth_gradient(m, clip(), 1, samples=2),
    "trace": lambda m: trace(m, clip()),
    "receptive fields": lambda m: trace_receptive_fields(m, clip(), ["relu"]),
    "alignment": lambda m: measure(m, ["relu"], SIZE, to_grid, samples=1),
    "reachability": lambda m: layers_affecting_scores(m, SIZE, ["relu"], FOLDS),
    "load": lambda m: load_model(m, num_frames=4, size=(16, 16), frame_rate=8).layers(SIZE),
    "check": lambda m: _logit(
        load_model(m, num_frames=4, size=(16, 16), frame_rate=8), 1, [], "float32", nullcontext
    )(clip()),
}


@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
@pytest.mark.parametrize("fails", [False, True], ids=["", "fails"])
@pytest.mark.parametrize("run", RUNS)
def test_a_network_that_keeps_things_is_left_as_found(run: str, fails: bool, used: bool) -> None:
    network = Keeping()
    if used:
        network(clip()).sum().backward()
    if fails:
        network.fc.register_forward_pre_hook(fail)
    before = attributes_of(network)
    try:
        RUNS[run](network)
    except Exception as error:
        assert fails and "half-way" in str(error)
    assert_same_attributes(before, network)
    if not fails:
        network(clip()).sum().backward()  # nothing is left on another device or without a graph


def fail(*_: object) -> None:
    raise RuntimeError("half-way")


def test_every_pass_begins_as_the_first_one() -> None:
    network = Keeping()
    with torch.no_grad():
        first = run_network(network, clip())
        assert torch.equal(run_network(network, clip()), first)
        network(clip())
        assert not torch.equal(run_network(network, clip()), first)


@pytest.mark.parametrize("method", ["ablationcam", "scorecam", "gradcam"])
def test_maps_do_not_depend_on_what_earlier_passes_kept(method: str) -> None:
    network = Keeping()

    def values() -> Tensor:
        options = {"layers": ["relu"], "methods": [method], "targets": [1], "batch_size": 1}
        return compute_cams(network, clip(), align="half-pixel", **options)[0].values

    whole = compute_cams(
        network, clip(), layers=["relu"], methods=[method], targets=[1], align="half-pixel"
    )
    torch.testing.assert_close(values(), whole[0].values)
    torch.testing.assert_close(values(), values())


def test_replaced_memory_and_containers_in_containers() -> None:
    network = Keeping()
    inner, before = {"a": {1}, "b": [2]}, attributes_of(network)
    network.nested = [inner]
    with left_as_found(network):
        inner["a"].add(2)
        inner["b"].clear()
        inner["c"] = 3
        network.plain.data = torch.ones(5)
        network.conv3 = nn.Conv3d(1, 1, 1)
    assert inner == {"a": {1}, "b": [2]} and network.nested[0] is inner
    del network.nested
    assert_same_attributes(before, network)
