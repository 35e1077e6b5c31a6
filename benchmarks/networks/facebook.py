"""Networks of SlowFast and pytorchvideo. SlowFast's take a list of pathways, also of only one."""

from __future__ import annotations

from torch import nn

from benchmarks.networks.network import Network, imported
from benchmarks.networks.stand_ins import stand_in

SIDE = 128  # SlowFast's heads are made for one size


def slowfast_r50() -> nn.Module:
    """SlowFast-8x8 ResNet-50."""
    return _of_config("SLOWFAST_8x8_R50")


def slow_r50() -> nn.Module:
    """Slow-8x8 ResNet-50."""
    return _of_config("SLOW_8x8_R50")


def x3d_s() -> nn.Module:
    """X3D-S."""
    return _of_config("X3D_S")


def mvit_b() -> nn.Module:
    """MViT-B-16x4."""
    return _of_config("MVIT_B_16x4_CONV")


def mvit_v2_s() -> nn.Module:
    """MViT-v2-S-16x4, with relative positions."""
    return _of_config("MVITv2_S_16x4")


def _of_config(name: str) -> nn.Module:
    stand_in("detectron2.layers")
    cfg = imported("slowfast.config.defaults:get_cfg")()
    cfg.merge_from_file(f"configs/Kinetics/{name}.yaml")
    cfg.NUM_GPUS, cfg.DATA.TRAIN_CROP_SIZE, cfg.DATA.TEST_CROP_SIZE = 0, SIDE, SIDE
    return imported("slowfast.models:build_model")(cfg)


_SIZE = (SIDE, SIDE)
_HUB = "pytorchvideo.models.hub:"
_ADDITIONS = (".", "../pytorchvideo")
NETWORKS = (
    Network(
        "SlowFast-R50",
        "SlowFast",
        slowfast_r50,
        32,
        _SIZE,
        "list:4,1",
        folders=_ADDITIONS,
        layer="s5.pathway1_res2",
        in_float64=False,
    ),
    Network(
        "Slow-R50", "SlowFast", slow_r50, 8, _SIZE, "list:1", folders=_ADDITIONS, in_float64=False
    ),
    Network("X3D-S", "SlowFast", x3d_s, 13, _SIZE, "list:1", folders=_ADDITIONS, in_float64=False),
    Network(
        "MViT-B", "SlowFast", mvit_b, 16, _SIZE, "list:1", folders=_ADDITIONS, in_float64=False
    ),
    Network(
        "MViT-v2-S",
        "SlowFast",
        mvit_v2_s,
        16,
        _SIZE,
        "list:1",
        folders=_ADDITIONS,
        in_float64=False,
    ),
    Network("pytorchvideo x3d_s", "pytorchvideo", _HUB + "x3d_s", 13, (160, 160), in_float64=False),
    Network(
        "pytorchvideo csn_r101", "pytorchvideo", _HUB + "csn_r101", 8, (224, 224), in_float64=False
    ),
)
