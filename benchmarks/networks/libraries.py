"""Networks of installed libraries: by name, and transformers' built from a configuration."""

from __future__ import annotations

from typing import Any

from torch import nn

from benchmarks.networks.network import Network, imported

SMALL = {
    "image_size": 112, "num_frames": 16, "hidden_size": 96, "num_hidden_layers": 4,
    "num_attention_heads": 4, "intermediate_size": 192, "num_labels": 400,
}  # fmt: skip


def videomae() -> nn.Module:
    """VideoMAE."""
    return _transformer("VideoMAE", SMALL)


def timesformer() -> nn.Module:
    """TimeSformer; tokens in the order height, width, time."""
    return _transformer("Timesformer", SMALL | {"num_frames": 8})


def vivit() -> nn.Module:
    """ViViT, model 1: one transformer over all tubes."""
    return _transformer("Vivit", SMALL | {"tubelet_size": [2, 16, 16]})


def _transformer(name: str, options: dict[str, Any]) -> nn.Module:
    config = imported(f"transformers:{name}Config")(**options)
    return imported(f"transformers:{name}ForVideoClassification")(config)


def _logits(outputs: Any) -> Any:
    return outputs.logits


def _mean_over_frames(scores: Any) -> Any:
    return scores.mean(1)


_RANDOM: dict[str, Any] = {"weights": "none"}
_NATIVE: dict[str, Any] = {"num_frames": None, "size": None, "in_float64": False, **_RANDOM}
NETWORKS = (
    Network("torchvision r3d_18", "", "r3d_18", **_NATIVE),
    Network("torchvision mc3_18", "", "mc3_18", **_NATIVE),
    Network("torchvision r2plus1d_18", "", "r2plus1d_18", **_NATIVE),
    Network("torchvision s3d", "", "s3d", 16, (224, 224), **_RANDOM),
    Network("torchvision mvit_v2_s", "", "mvit_v2_s", **_NATIVE),
    Network("torchvision swin3d_t", "", "swin3d_t", 16, (112, 112), **_RANDOM),
    Network("torchvision resnet18", "", "resnet18", 4, scores=_mean_over_frames, **_RANDOM),
    Network("timm convnext_atto", "", "timm:convnext_atto", 4, scores=_mean_over_frames, **_RANDOM),
    Network("transformers VideoMAE", "", videomae, layout="NTCHW", scores=_logits),
    Network("transformers TimeSformer", "", timesformer, 8, layout="NTCHW", scores=_logits),
    Network("transformers ViViT", "", vivit, layout="NTCHW", scores=_logits),
)
