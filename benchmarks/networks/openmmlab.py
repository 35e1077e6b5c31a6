"""Networks of mmaction2: its recognizers take data samples, so the factory wraps two parts."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from benchmarks.networks.network import Network, imported
from benchmarks.networks.stand_ins import replace_module


class ScoresOfClips(nn.Module):
    """The backbone, the neck and the head of a recognizer: clips in, scores out."""

    def __init__(self, recognizer: Any) -> None:
        super().__init__()
        self.backbone, self.cls_head = recognizer.backbone, recognizer.cls_head
        self.neck = recognizer.neck if recognizer.with_neck else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, classes)."""
        features = self.backbone(x)
        if self.neck is not None:
            features, _ = self.neck(features)
        return self.cls_head(features)


class ScoresOfFrames(nn.Module):
    """The same of a network that takes frames as images."""

    def __init__(self, recognizer: Any, num_frames: int) -> None:
        super().__init__()
        self.backbone, self.cls_head = recognizer.backbone, recognizer.cls_head
        self.num_frames = num_frames

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, 3, H, W) -> (N, classes)."""
        return self.cls_head(self.backbone(x.flatten(0, 1)), self.num_frames)


def slowonly() -> nn.Module:
    """SlowOnly ResNet-50."""
    return ScoresOfClips(_recognizer("slowonly_r50"))


def tpn() -> nn.Module:
    """TPN on SlowOnly."""
    return ScoresOfClips(_recognizer("tpn_slowonly_r50"))


def x3d() -> nn.Module:
    """X3D-S."""
    return ScoresOfClips(_recognizer("x3d"))


def swin() -> nn.Module:
    """Video Swin, tiny."""
    return ScoresOfClips(_recognizer("swin_tiny"))


def tsm() -> nn.Module:
    """TSM ResNet-50 with eight segments."""
    return ScoresOfFrames(_recognizer("tsm_r50"), 8)


def tanet() -> nn.Module:
    """TANet ResNet-50 with eight segments."""
    return ScoresOfFrames(_recognizer("tanet_r50"), 8)


def _recognizer(name: str) -> Any:
    config = imported("mmengine.config:Config").fromfile(f"configs/_base_/models/{name}.py").model
    config.backbone.pretrained = None
    config.pop("data_preprocessor", None)
    # It needs names that transformers has removed.
    replace_module("mmaction.models.multimodal")
    imported("mmaction.utils:register_all_modules")()
    return imported("mmaction.registry:MODELS").build(config)


_MM = "mmaction2"
NETWORKS = (
    Network("mmaction2 SlowOnly", _MM, slowonly, 8, in_float64=False),
    Network("mmaction2 TPN", _MM, tpn, 8, in_float64=False),
    Network("mmaction2 X3D-S", _MM, x3d, in_float64=False),
    Network("mmaction2 Video Swin-T", _MM, swin),
    Network("mmaction2 TSM", _MM, tsm, 8, layout="NTCHW"),
    Network("mmaction2 TANet", _MM, tanet, 8, layout="NTCHW"),
)
