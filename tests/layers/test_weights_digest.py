"""A network is recognised by its weights."""

from __future__ import annotations

import torch
from torch import nn

from video_cam import load_model
from video_cam.layers.weights_digest import digest_of_weights


def make(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4))


def test_equal_weights_have_one_digest_and_other_weights_another() -> None:
    assert digest_of_weights(make(0)) == digest_of_weights(make(0))
    parameter, buffer = make(0), make(0)
    with torch.no_grad():
        parameter[0].bias[2] += 1e-6
        buffer[1].running_mean[3] = 1e-6
    renamed = nn.ModuleDict({"conv": make(0)[0], "norm": make(0)[1]})
    networks = [make(0), make(1), parameter, buffer, renamed, make(0).double()]
    assert len({digest_of_weights(network) for network in networks}) == len(networks)


def test_the_bundled_network_is_the_same_each_time_it_is_loaded(bundled) -> None:
    digest = digest_of_weights(bundled.module)
    assert digest == digest_of_weights(load_model("motion3d").module)
    assert digest != digest_of_weights(load_model("motion3d", "none").module)
