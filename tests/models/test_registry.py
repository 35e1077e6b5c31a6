"""Every kind of row: its default layer's grid, where a bright patch shows, the model as found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import nn
from torchvision.models import get_model
from torchvision.models.video import mvit

from tests.support.random_networks import fill, hottest_cell, no_initialisation
from video_cam import compute_cams
from video_cam.config import InputConfig
from video_cam.models.classifier import Classifier, make_classifier
from video_cam.models.registry import known_models

LABELS = ("a", "b", "c")


@dataclass(frozen=True)
class Case:
    """A row at a small size. grid: of its default layer. options: for torchvision's builder.

    place: the layer in which the patch is looked for, where the default one sees too far.
    """

    name: str
    size: tuple[int, int, int]
    grid: tuple[int, int, int]
    options: tuple[tuple[str, Any], ...] = ()
    place: str | None = None


SMALL = [
    Case("motion3d", (8, 64, 64), (2, 4, 4)),
    Case("frame_lstm", (3, 32, 32), (3, 4, 4)),
    Case("r3d_18", (16, 48, 48), (2, 3, 3)),
    Case("mc3_18", (4, 48, 48), (4, 3, 3)),
    Case(
        "mvit_v1_b",
        (4, 64, 64),
        (2, 2, 2),
        (("temporal_size", 4), ("spatial_size", (64, 64))),
        "blocks.0",
    ),
    Case("swin3d_t", (4, 96, 96), (2, 3, 3)),
    Case("resnet50", (2, 96, 96), (2, 3, 3)),
    Case("densenet121", (2, 96, 96), (2, 3, 3)),
    Case("inception_v3", (2, 107, 107), (2, 2, 2), place="Mixed_5d"),
    Case("convnext_tiny", (2, 64, 64), (2, 2, 2), place="features.1"),
    Case("squeezenet1_0", (2, 64, 64), (2, 3, 3)),
    Case("googlenet", (2, 64, 64), (2, 2, 2), place="inception3b"),
    Case("mobilenet_v2", (2, 64, 64), (2, 2, 2), place="features.7"),
    Case("efficientnet_b0", (2, 64, 64), (2, 2, 2), place="features.2"),
    Case("shufflenet_v2_x0_5", (2, 64, 64), (2, 2, 2), place="conv1"),
    Case("vit_b_16", (2, 48, 48), (2, 3, 3), (("image_size", 48),)),
    Case("swin_t", (2, 96, 96), (2, 3, 3)),
]
LARGE = [
    Case("r2plus1d_18", (16, 48, 48), (2, 3, 3)),
    Case("s3d", (16, 224, 224), (2, 7, 7)),
    Case(
        "mvit_v2_s",
        (4, 64, 64),
        (2, 2, 2),
        (("temporal_size", 4), ("spatial_size", (64, 64))),
        "blocks.0",
    ),
    Case("swin3d_s", (4, 96, 96), (2, 3, 3)),
    Case("swin3d_b", (4, 96, 96), (2, 3, 3)),
    Case("vgg16", (2, 96, 96), (2, 3, 3)),
    Case("vgg19", (2, 96, 96), (2, 3, 3), place="features.18"),
    Case("maxvit_t", (1, 224, 224), (1, 7, 7)),
]
CASES = [*SMALL, *(pytest.param(case, marks=pytest.mark.slow) for case in LARGE)]


def build(case: Case) -> Classifier:
    """The row's classifier with random weights, at the case's size."""
    row = known_models()[case.name]
    options = dict(case.options)
    if case.name == "vit_b_16":
        row = replace(row, build=partial(_with_classes, partial(get_model, case.name, **options)))
    whole = mvit._mvit
    with (
        no_initialisation(),
        # torchvision's builder fixes the size its positions are for; the class does not.
        patch.object(mvit, "_mvit", lambda **given: whole(**(given | options))),
    ):
        module = fill(row.build(len(LABELS))).eval()
    said = InputConfig(num_frames=case.size[0], size=case.size[1:])
    return make_classifier(module, case.name, "none", row, said, LABELS)


def _with_classes(build: Callable[..., nn.Module], classes: int) -> nn.Module:
    return build(num_classes=classes)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_row(case: Case) -> None:
    model = build(case)
    chosen = model.layers(case.size)
    assert chosen.names == (model.layer,)
    assert chosen.folds[model.layer].grid == case.grid
    _assert_placemoves(model, case)
    _assert_map_and_model_as_found(model, case)


def _assert_placemoves(model: Classifier, case: Case) -> None:
    layer = case.place or model.layer
    grid = model.layers(case.size, [layer]).folds[layer].grid
    hottest, cells_asked = [], []
    for step in (0, 1):
        cell = [min((cells - 1) // 2 + step, cells - 1) for cells in grid]
        place = tuple(
            slice(i * length // cells, (i + 1) * length // cells)
            for i, length, cells in zip(cell, case.size, grid, strict=True)
        )
        hottest.append(torch.tensor(hottest_cell(model, layer, place)))
        cells_asked.append(torch.tensor(cell))
    # The stem's kernels overlap: their cells are not centred on their share of the input.
    tolerance = 1 if case.name.startswith("mvit") else 0
    assert (hottest[0] - cells_asked[0]).abs().max() <= tolerance
    assert torch.equal(hottest[1] - hottest[0], cells_asked[1] - cells_asked[0])


def _assert_map_and_model_as_found(model: Classifier, case: Case) -> None:
    before = _state(model)
    x = torch.randn(2, 3, *case.size, generator=torch.Generator().manual_seed(2))
    [cam] = compute_cams(
        model.module,
        x,
        layers=[model.layer],
        targets=[None],
        unpack=model.layers(case.size).folds,
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


def test_every_image_row_finds_its_default_layer_on_shapes() -> None:
    names = ["alexnet", "mnasnet0_5", "regnet_y_400mf", "resnext50_32x4d", "wide_resnet50_2"]
    for name in names:
        row = known_models()[name]
        with no_initialisation():
            module = row.build(3).eval()
        model = make_classifier(module, name, "none", row, InputConfig(num_frames=2), LABELS)
        t, h, w = model.layers((2, *model.preprocess.crop)).folds[model.layer].grid
        assert t == 2 and h == w and h in (6, 7)
