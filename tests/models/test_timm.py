"""timm's image classifiers, applied frame by frame."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch

from video_cam import UsageError, compute_cams, load_model
from video_cam.models.timm import timm_spec
from video_cam.models.weights import WeightsUnavailable


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("timm:vit_tiny_patch16_224", (2, 14, 14)),
        ("timm:resnet18", (2, 7, 7)),
        ("timm:swin_tiny_patch4_window7_224", (2, 7, 7)),
    ],
)
def test_the_default_layer_of_each_family_has_a_map(name: str, grid: tuple[int, int, int]) -> None:
    pytest.importorskip("timm")
    model = load_model(name, "none", num_frames=2)
    fold = model.layers((2, 224, 224)).folds[model.layer]
    assert fold.grid == grid and model.framewise and len(model.labels) == 1000
    x = torch.randn(1, 3, 2, 224, 224, generator=torch.Generator().manual_seed(0))
    unpack = model.layers((2, 224, 224)).folds
    # Its cells are measured elsewhere, in networks of less than 224 pixels.
    [cam] = compute_cams(model.module, x, layers=[model.layer], unpack=unpack, align="half-pixel")
    assert cam.values.shape == (1, *grid) and (cam.values != 0).any()


def test_without_the_package_its_name_is_said(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match="pip install timm"):
        timm_spec("timm:resnet18")


class _FakeTimm(SimpleNamespace):
    """Answers as timm does, without its networks."""

    def list_models(self) -> list[str]:
        return ["resnet18", "vit_small"]

    def get_pretrained_cfg(self, name: str) -> SimpleNamespace:
        assert name == "resnet18.a1_in1k"
        return SimpleNamespace(
            num_classes=10,
            input_size=(3, 160, 160),
            crop_pct=0.8,
            mean=[0.5, 0.4, 0.3],
            std=[0.2, 0.2, 0.1],
            interpolation="bicubic",
        )

    def create_model(self, name: str, pretrained: bool, **options: int) -> None:
        assert pretrained and not options
        raise OSError("no route to host\nand more")


def test_the_spec_follows_timms_configuration(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", _FakeTimm())
    spec = timm_spec("timm:resnet18.a1_in1k")
    assert spec.labels == tuple(f"class {i}" for i in range(10))
    assert spec.preprocess.resize == 200 and spec.preprocess.crop == (160, 160)
    assert spec.preprocess.mean == (0.5, 0.4, 0.3) and spec.preprocess.std == (0.2, 0.2, 0.1)
    assert spec.preprocess.interpolation == "bicubic"
    with pytest.raises(WeightsUnavailable, match=r"are not available: no route to host$"):
        spec.pretrained["PRETRAINED"]()
    with pytest.raises(UsageError, match=r"timm has no model 'resnet81': did you mean resnet18\?"):
        timm_spec("timm:resnet81")
