"""Networks of optional packages: timm's image classifiers, pytorchvideo's video classifiers."""

from __future__ import annotations

import pytest
import torch

from video_cam import UsageError, compute_cams, load_model
from video_cam.models import timm as timm_image


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("timm:vit_tiny_patch16_224", (2, 14, 14)),
        ("timm:resnet18", (2, 7, 7)),
        ("timm:swin_tiny_patch4_window7_224", (2, 7, 7)),
    ],
)
def test_timm(name: str, grid: tuple[int, int, int]) -> None:
    pytest.importorskip("timm")
    model = load_model(name, "none", num_frames=2)
    fold = model.layers((2, 224, 224)).folds[model.layer]
    assert fold.grid == grid and model.framewise and len(model.labels) == 1000
    x = torch.randn(1, 3, 2, 224, 224, generator=torch.Generator().manual_seed(0))
    [cam] = compute_cams(
        model.module, x, layers=[model.layer], unpack=model.layers((2, 224, 224)).folds
    )
    assert cam.values.shape == (1, *grid) and (cam.values != 0).any()


def test_without_the_package(monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match="pip install timm"):
        timm_image.row("timm:resnet18")


@pytest.mark.parametrize(
    ("name", "frames", "size", "layout", "layers", "cells"),
    [
        ("slow_r50", 8, 224, "NCTHW", ["blocks.4"], [8]),
        ("x3d_s", 13, 160, "NCTHW", ["blocks.4"], [13]),
        ("c2d_r50", 8, 224, "NCTHW", ["blocks.5"], [4]),
        ("i3d_r50", 8, 224, "NCTHW", ["blocks.5"], [4]),
        ("csn_r101", 32, 224, "NCTHW", ["blocks.4"], [4]),
        ("slowfast_r50", 32, 224, "list:4,1", ["blocks.4.multipathway_blocks.?"], [8, 32]),
    ],
)
@pytest.mark.slow
def test_pytorchvideo(name: str, frames: int, size: int, layout: str, layers, cells) -> None:
    hub = pytest.importorskip("pytorchvideo.models.hub")
    model = load_model(
        getattr(hub, name)(pretrained=False),
        layout=layout,
        num_frames=frames,
        size=(size, size),
    )
    chosen = model.layers((frames, size, size), layers)
    assert [chosen.folds[name].grid[0] for name in chosen.names] == cells
    assert all(chosen.folds[name].grid[1:] == (size // 32, size // 32) for name in chosen.names)
