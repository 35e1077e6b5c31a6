"""The specs of torchvision's and of the bundled networks: default layers, and where they see.

For a network of every family: its default layer's grid, the cell in which a bright patch shows, a
map, and the network as it was found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
import torchvision.models
from torch import nn
from torchvision.models import get_model, list_models
from torchvision.models.video import mvit

from tests.support.random_networks import (
    fill,
    most_changed_cells,
    no_initialisation,
    patch_of_cell,
)
from video_cam import compute_cams
from video_cam.config import InputConfig
from video_cam.models.classifier import Classifier, make_classifier
from video_cam.models.registry import known_models
from video_cam.models.torchvision import IMAGE_SPECS, VIDEO_SPECS

LABELS = ("a", "b", "c")


@dataclass(frozen=True)
class Case:
    """A network at a small size.

    Attributes:
        size: (T, H, W) of its input.
        grid: (T', H', W') of its default layer.
        options: for torchvision's builder.
        patch_layer: the layer in which the patch is looked for, where the receptive field of the
            default one is too large; None for the default one.
        align: of the map; measured alignment takes 48 forward passes, so it is tried on a network
            of each kind.
    """

    name: str
    size: tuple[int, int, int]
    grid: tuple[int, int, int]
    options: tuple[tuple[str, Any], ...] = ()
    patch_layer: str | None = None
    align: str = "receptive-field"


SMALL = [
    Case("motion3d", (8, 64, 64), (2, 4, 4)),
    Case("frame_lstm", (3, 32, 32), (3, 4, 4)),
    Case("r3d_18", (16, 48, 48), (2, 3, 3), align="probe"),
    Case("mc3_18", (4, 48, 48), (4, 3, 3)),
    Case(
        "mvit_v1_b",
        (4, 64, 64),
        (2, 2, 2),
        (("temporal_size", 4), ("spatial_size", (64, 64))),
        "blocks.0",
    ),
    Case("swin3d_t", (4, 96, 96), (2, 3, 3), align="probe"),
    Case("resnet50", (2, 96, 96), (2, 3, 3), align="probe"),
    Case("densenet121", (2, 96, 96), (2, 3, 3)),
    Case("inception_v3", (2, 107, 107), (2, 2, 2), patch_layer="Mixed_5d"),
    Case("convnext_tiny", (2, 64, 64), (2, 2, 2), patch_layer="features.1"),
    Case("squeezenet1_0", (2, 64, 64), (2, 3, 3)),
    Case("googlenet", (2, 64, 64), (2, 2, 2), patch_layer="inception3b"),
    Case("mobilenet_v2", (2, 64, 64), (2, 2, 2), patch_layer="features.7"),
    Case("efficientnet_b0", (2, 64, 64), (2, 2, 2), patch_layer="features.2"),
    Case("shufflenet_v2_x0_5", (2, 64, 64), (2, 2, 2), patch_layer="conv1"),
    Case("vit_b_16", (2, 48, 48), (2, 3, 3), (("image_size", 48),), align="probe"),
    Case("swin_t", (2, 96, 96), (2, 3, 3)),
]
LARGE = [
    Case("r2plus1d_18", (16, 48, 48), (2, 3, 3)),
    # Its pooling fixes the size.
    Case("s3d", (16, 224, 224), (2, 7, 7)),
    Case(
        "mvit_v2_s",
        (4, 64, 64),
        (2, 2, 2),
        (("temporal_size", 4), ("spatial_size", (64, 64))),
        "blocks.0",
    ),
    Case("vgg16", (2, 96, 96), (2, 3, 3)),
    Case("maxvit_t", (1, 224, 224), (1, 7, 7)),
]
CASES = [*SMALL, *(pytest.param(case, marks=pytest.mark.slow) for case in LARGE)]


def build(case: Case) -> Classifier:
    """The classifier with random weights, at the case's size."""
    spec = known_models()[case.name]
    options = dict(case.options)
    if case.name == "vit_b_16":
        spec = replace(spec, build=partial(_with_classes, partial(get_model, case.name, **options)))
    whole = mvit._mvit
    with (
        no_initialisation(),
        # torchvision's builder fixes the size its positions are for; the class does not.
        patch.object(mvit, "_mvit", lambda **defaults: whole(**(defaults | options))),
    ):
        module = fill(spec.build(len(LABELS))).eval()
    input_config = InputConfig(num_frames=case.size[0], size=case.size[1:])
    return make_classifier(module, case.name, "none", spec, input_config, LABELS)


def _with_classes(build: Callable[..., nn.Module], classes: int) -> nn.Module:
    return build(num_classes=classes)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_network_of_each_family(case: Case) -> None:
    model = build(case)
    chosen = model.layers(case.size)
    assert chosen.names == (model.layer,)
    assert chosen.folds[model.layer].grid == case.grid
    _assert_patch_shows_in_its_cell(model, case)
    _assert_map_and_model_as_found(model, case)


def _assert_patch_shows_in_its_cell(model: Classifier, case: Case) -> None:
    layer = case.patch_layer or model.layer
    grid = model.layers(case.size, [layer]).folds[layer].grid
    cells = [[min((n - 1) // 2 + step, n - 1) for n in grid] for step in (0, 1)]
    patches = [patch_of_cell(cell, case.size, grid) for cell in cells]
    changed = torch.tensor(most_changed_cells(model, layer, patches))
    expected = torch.tensor(cells)
    # The kernels of MViT's stem overlap, so its cells are not centred on their part of the input.
    tolerance = 1 if case.name.startswith("mvit") else 0
    assert (changed[0] - expected[0]).abs().max() <= tolerance
    assert torch.equal(changed[1] - changed[0], expected[1] - expected[0])


def _assert_map_and_model_as_found(model: Classifier, case: Case) -> None:
    before = _state(model)
    x = torch.randn(2, 3, *case.size, generator=torch.Generator().manual_seed(2))
    [cam] = compute_cams(
        model.module,
        x,
        layers=[model.layer],
        targets=[None],
        unpack=model.layers(case.size).folds,
        align=case.align,
    )
    assert cam.values.shape == (2, *case.grid)
    assert cam.values.isfinite().all() and (cam.values != 0).any()
    assert cam.scores.shape == (2,)
    assert _state(model) == before


def _state(model: Classifier) -> list[Any]:
    modules = [
        (m.training, len(m._forward_hooks), len(m._forward_pre_hooks))
        for m in model.module.modules()
    ]
    parameters = [(p.requires_grad, p._version, p.grad) for p in model.module.parameters()]
    return [modules, parameters]


@pytest.mark.parametrize(
    "name",
    ["alexnet", "mnasnet0_5", "regnet_y_400mf", "resnext50_32x4d", "vgg19", "wide_resnet50_2"],
)
def test_the_default_layer_of_other_image_networks_is_found_on_shapes(name: str) -> None:
    spec = known_models()[name]
    with no_initialisation():
        module = spec.build(3).eval()
    model = make_classifier(module, name, "none", spec, InputConfig(num_frames=2), LABELS)
    t, h, w = model.layers((2, *model.preprocess.crop)).folds[model.layer].grid
    assert t == 2 and h == w and h in (6, 7)


@pytest.mark.parametrize("name", ["swin3d_s", "swin3d_b"])
def test_the_default_layer_of_larger_video_networks_is_found_on_shapes(name: str) -> None:
    """Their parts are those of swin3d_t, of which a map is made above."""
    model = build(Case(name, (4, 96, 96), (2, 3, 3)))
    assert model.layers((4, 96, 96)).folds[model.layer].grid == (2, 3, 3)


def test_specs_follow_torchvisions_weights() -> None:
    r3d, s3d, mvit_v1 = (VIDEO_SPECS[name] for name in ("r3d_18", "s3d", "mvit_v1_b"))
    assert [*r3d.pretrained] == ["KINETICS400_V1"] and r3d.labels[6] == "arm wrestling"
    assert (r3d.preprocess.resize, r3d.preprocess.crop) == ((128, 171), (112, 112))
    assert (s3d.num_frames, float(s3d.frame_rate)) == (128, 15.0)
    assert (mvit_v1.preprocess.resize, float(mvit_v1.frame_rate)) == (256, 7.5)
    resnet = IMAGE_SPECS["resnet50"]
    assert [*resnet.pretrained] == ["IMAGENET1K_V2", "IMAGENET1K_V1"]  # the default one first
    assert (resnet.preprocess.resize, resnet.preprocess.crop) == (232, (224, 224))
    assert resnet.input_layout.layout == "frames" and r3d.input_layout.layout == "NCTHW"


def test_every_classifier_of_torchvision_has_a_spec() -> None:
    assert {*list_models(module=torchvision.models)} == {*IMAGE_SPECS}
    assert {*list_models(module=torchvision.models.video)} == {*VIDEO_SPECS}


def test_weights_of_training_heads_are_known() -> None:
    googlenet, inception = IMAGE_SPECS["googlenet"], IMAGE_SPECS["inception_v3"]
    for spec, builder in ((googlenet, googlenet_with_heads), (inception, inception_with_heads)):
        with torch.device("meta"), no_initialisation():
            published, ours = builder().state_dict(), spec.build(1000).state_dict()
        left = [name for name in published if not name.startswith(spec.training_prefixes)]
        assert left == [*ours] and len(left) < len(published)


def googlenet_with_heads() -> nn.Module:
    return get_model("googlenet", weights=None, init_weights=False)


def inception_with_heads() -> nn.Module:
    return get_model("inception_v3", weights=None, init_weights=False)


@pytest.mark.parametrize("name", sorted({*VIDEO_SPECS, *IMAGE_SPECS}))
def test_frames_are_resized_as_the_weights_ask(name: str) -> None:
    preprocess = known_models()[name].preprocess
    height, width = preprocess.crop
    assert preprocess.frame(np.zeros((480, 640, 3), np.uint8)).shape == (height, width, 3)
