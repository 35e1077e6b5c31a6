"""Image networks that are applied to every frame; they reshape (N, T, 3, H, W) to images."""

from __future__ import annotations

from unittest.mock import patch

from torch import Tensor, nn

from benchmarks.networks.network import Network, imported
from benchmarks.networks.stand_ins import without_pretrained_weights


class MeanOverSegments(nn.Module):
    """(N, segments, classes) -> (N, 1, classes)."""

    def forward(self, scores: Tensor) -> Tensor:
        """The mean over the segments."""
        return scores.mean(1, keepdim=True)


def tsn() -> nn.Module:
    """TSN of ResNet-18."""
    with without_pretrained_weights("resnet18"):
        network = imported("models:TSN")(400, 8, "RGB", base_model="resnet18")
    # The repository's own is an autograd function as PyTorch had them before 1.3.
    network.consensus = MeanOverSegments()
    return network


def tsm() -> nn.Module:
    """TSM of ResNet-18, shift in the residual branch."""
    options = {"pretrain": "", "is_shift": True}
    with without_pretrained_weights("resnet18"):
        return imported("ops.models:TSN")(400, 8, "RGB", base_model="resnet18", **options)


def tsm_pooled() -> nn.Module:
    """TSM of ResNet-18 that halves the number of frames after its first layers."""
    options = {"pretrain": "", "is_shift": True, "temporal_pool": True}
    with without_pretrained_weights("resnet18"):
        network = imported("ops.models:TSN")(400, 8, "RGB", base_model="resnet18", **options)
    imported("ops.temporal_shift:make_temporal_pool")(network.base_model, 8)
    return network


def eco_lite() -> nn.Module:
    """ECO lite: frame features of BN-Inception, then a 3-D ResNet."""
    # The repository reads its table of layers in a way that PyYAML has since refused.
    load, loader = imported("yaml:load"), imported("yaml:SafeLoader")
    with patch("yaml.load", lambda file, *_loader: load(file, loader)):
        network = imported("models:TSN")(400, 16, "scratch", "RGB", base_model="ECO")
    network.consensus = nn.Identity()
    return network


_TSM = "temporal-shift-module"
NETWORKS = (
    Network("TSN ResNet-18", "tsn-pytorch", tsn, 8, layout="NTCHW"),
    Network("TSM ResNet-18", _TSM, tsm, 8, layout="NTCHW"),
    Network("TSM ResNet-18 pooled", _TSM, tsm_pooled, 8, layout="NTCHW"),
    Network("ECO", "ECO-pytorch", eco_lite, 16, (224, 224), layout="NTCHW", in_float64=False),
)
