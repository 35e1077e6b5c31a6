"""Transformers of single repositories."""

from __future__ import annotations

import collections.abc
from unittest.mock import patch

from torch import nn

from benchmarks.networks.network import Network, imported
from benchmarks.networks.stand_ins import replace_module, stand_in


def timesformer() -> nn.Module:
    """TimeSformer with divided attention, small; tokens in the order height, width, time."""
    # PyTorch has removed both.
    replace_module("torch._six", container_abcs=collections.abc, int_classes=int)
    with patch("torch.nn.modules.linear._LinearWithBias", nn.Linear, create=True):
        vit = imported("timesformer.models.vit:VisionTransformer")
    options = {"embed_dim": 96, "depth": 4, "num_heads": 4, "num_frames": 8, "num_classes": 400}
    return vit(img_size=112, patch_size=16, **options)


def videomae() -> nn.Module:
    """VideoMAE's classifier, small; it averages its tokens."""
    vit = imported("modeling_finetune:VisionTransformer")
    options = {"embed_dim": 96, "depth": 4, "num_heads": 4, "all_frames": 16, "num_classes": 400}
    return vit(img_size=112, patch_size=16, init_values=0.0, init_scale=1.0, **options)


def rishikksh_vivit() -> nn.Module:
    """ViViT, factorised encoder; it takes (N, T, 3, H, W)."""
    return imported("vivit:ViViT")(112, 16, 400, 8)


def lucidrains_vivit() -> nn.Module:
    """ViViT, factorised encoder, of vit-pytorch."""
    return imported("vit_pytorch.vivit:ViViT")(
        image_size=112, image_patch_size=16, frames=16, frame_patch_size=2, num_classes=400,
        dim=96, spatial_depth=2, temporal_depth=2, heads=4, mlp_dim=192,
    )  # fmt: skip


def lucidrains_vit_3d() -> nn.Module:
    """ViT with tubes of frames as tokens and a class token."""
    return imported("vit_pytorch.vit_3d:ViT")(
        image_size=112, image_patch_size=16, frames=16, frame_patch_size=2, num_classes=400,
        dim=96, depth=3, heads=4, mlp_dim=192,
    )  # fmt: skip


def lucidrains_simple_vit_3d() -> nn.Module:
    """The same without a class token."""
    return imported("vit_pytorch.simple_vit_3d:SimpleViT")(
        image_size=112, image_patch_size=16, frames=16, frame_patch_size=2, num_classes=400,
        dim=96, depth=3, heads=4, mlp_dim=192,
    )  # fmt: skip


def lucidrains_cct_3d() -> nn.Module:
    """Compact convolutional transformer: tokens of convolutions."""
    return imported("vit_pytorch.cct_3d:CCT")(
        img_size=112, num_frames=16, embedding_dim=96, n_conv_layers=2, frame_kernel_size=3,
        kernel_size=7, stride=2, padding=3, pooling_kernel_size=3, pooling_stride=2,
        pooling_padding=1, num_layers=3, num_heads=4, mlp_ratio=2, num_classes=400,
        positional_embedding="learnable",
    )  # fmt: skip


def mx_mark_timesformer() -> nn.Module:
    """TimeSformer of VideoTransformer-pytorch; returns features of the class token."""
    stand_in("pytorch_lightning.utilities.distributed")
    return imported("video_transformer:TimeSformer")(
        num_frames=8, img_size=112, patch_size=16, embed_dims=96, num_heads=4,
        num_transformer_layers=3,
    )  # fmt: skip


def mx_mark_vivit() -> nn.Module:
    """ViViT (factorised encoder) of VideoTransformer-pytorch, likewise."""
    stand_in("pytorch_lightning.utilities.distributed")
    return imported("video_transformer:ViViT")(
        num_frames=16, img_size=112, patch_size=16, embed_dims=96, num_heads=4,
        num_transformer_layers=3, tube_size=2,
    )  # fmt: skip


def uniformer() -> nn.Module:
    """UniFormer-S: convolutional blocks, then attention on a grid."""
    stand_in("detectron2.layers")
    cfg = imported("slowfast.config.defaults:get_cfg")()
    cfg.DATA.TRAIN_CROP_SIZE = 112
    return imported("slowfast.models.uniformer:Uniformer")(cfg)


_ADDITIONS = (".", "../pytorchvideo")
_VIT, _MX_MARK = "vit-pytorch", "VideoTransformer-pytorch"
NETWORKS = (
    Network("TimeSformer", "TimeSformer", timesformer, 8),
    Network("VideoMAE", "VideoMAE", videomae),
    Network("ViViT (rishikksh20)", "ViViT-pytorch", rishikksh_vivit, 8, layout="NTCHW"),
    Network("ViViT (vit-pytorch)", _VIT, lucidrains_vivit),
    Network("ViT-3D (vit-pytorch)", _VIT, lucidrains_vit_3d),
    Network("SimpleViT-3D (vit-pytorch)", _VIT, lucidrains_simple_vit_3d),
    Network("CCT-3D (vit-pytorch)", _VIT, lucidrains_cct_3d),
    Network(
        "TimeSformer (mx-mark)",
        _MX_MARK,
        mx_mark_timesformer,
        8,
        layout="NTCHW",
        folders=_ADDITIONS,
    ),
    Network("ViViT (mx-mark)", _MX_MARK, mx_mark_vivit, layout="NTCHW", folders=_ADDITIONS),
    Network(
        "UniFormer-S",
        "UniFormer",
        uniformer,
        layout="list:1",
        folders=("video_classification", "../pytorchvideo"),
        in_float64=False,
    ),
)
