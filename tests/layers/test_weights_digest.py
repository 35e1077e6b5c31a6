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


class Counting(nn.Linear):
    """Keeps a value that is no tensor in its state dict."""

    def __init__(self, value: object) -> None:
        super().__init__(1, 1)
        nn.init.ones_(self.weight), nn.init.zeros_(self.bias)
        self.value = value

    def get_extra_state(self) -> object:
        return self.value

    def set_extra_state(self, state: object) -> None:
        self.value = state


def test_what_a_module_adds_to_its_state_counts() -> None:
    assert digest_of_weights(Counting({"scale": 2})) == digest_of_weights(Counting({"scale": 2}))
    values = [None, 3, {"scale": 2}, {"scale": 3}, b"scale"]
    assert len({digest_of_weights(Counting(value)) for value in values}) == len(values)
    # What cannot be pickled cannot be recognised.
    network = Counting(lambda: None)
    assert digest_of_weights(network) != digest_of_weights(network)


def test_the_shape_of_a_tensor_counts() -> None:
    row, column = nn.Linear(2, 1, bias=False), nn.Linear(1, 2, bias=False)
    for network in (row, column):
        nn.init.ones_(network.weight)
    assert digest_of_weights(row) != digest_of_weights(column)


def test_the_bundled_network_is_the_same_each_time_it_is_loaded(bundled) -> None:
    digest = digest_of_weights(bundled.module)
    assert digest == digest_of_weights(load_model("motion3d").module)
    assert digest != digest_of_weights(load_model("motion3d", "none").module)
