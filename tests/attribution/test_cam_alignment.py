"""``compute_cams``: its default alignment is measured, once for each network and input size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from video_cam import Classifier, compute_cams
from video_cam.layers.alignment import cell_centres
from video_cam.layers.axes import to_grid
from video_cam.layers.cell_positions import find_receptive_fields


class OffCentre(nn.Module):
    """A strided convolution that reads the last tap of its kernel only, on every axis."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3, stride=2, padding=1, bias=False)
        nn.init.zeros_(self.conv.weight)
        self.conv.weight.data[:, :, 2, 2, 2] = 1
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).mean((2, 3, 4)))


def test_the_default_alignment_is_measured() -> None:
    network, x = OffCentre().eval(), torch.zeros(1, 3, 8, 16, 16)
    [cam] = compute_cams(network, x, layers=["conv"])
    fields = find_receptive_fields(network, x, ["conv"], to_grid, "probe")["conv"]
    expected = cell_centres((4, 8, 8), (8, 16, 16), fields, "probe")
    [arithmetic] = compute_cams(network, x, layers=["conv"], align="receptive-field")
    for axis in ("t", "y", "x"):
        centres = getattr(cam.centres, axis)
        np.testing.assert_array_equal(centres, getattr(expected, axis))
        # Cell i reads sample 2 i + 1. In time arithmetic says 2 i, in space half-pixel 2 i + 0.5.
        np.testing.assert_allclose(centres, 2 * np.arange(len(centres)) + 1, atol=0.2)
        assert np.abs(centres - getattr(arithmetic.centres, axis)).min() > 0.3


def test_the_alignment_is_measured_once_per_network_layers_and_input_size() -> None:
    network = OffCentre().eval()
    runs = []
    network.fc.register_forward_hook(lambda *call: runs.append(call[2].device.type))

    def passes(size: tuple[int, int, int], **options: Any) -> int:
        runs.clear()
        compute_cams(network, torch.zeros(2, 3, *size), layers=["conv"], **options)
        return runs.count("cpu")  # others are on the meta device, where nothing is computed

    assert passes((8, 16, 16), align="receptive-field") == 1
    assert passes((8, 16, 16)) > 1
    assert passes((8, 16, 16)) == 1
    assert passes((4, 16, 16)) > 1


@pytest.mark.parametrize("where", ["forward", "unpack"])
def test_a_network_for_one_batch_size_is_aligned_by_arithmetic(where: str) -> None:
    class TwoClips(OffCentre):
        def forward(self, x: Tensor) -> Tensor:
            if where == "forward":
                x = x.reshape(2, 3, 8, 16, 16)
            return super().forward(x)

    network, x = TwoClips().eval(), torch.randn(2, 3, 8, 16, 16)
    unpack = (lambda output: output.reshape(2, 4, 4, 8, 8)) if where == "unpack" else to_grid
    with pytest.warns(UserWarning, match="the alignment is not measured"):
        [cam] = compute_cams(network, x, layers=["conv"], unpack=unpack)
    [expected] = compute_cams(network, x, layers=["conv"], unpack=unpack, align="receptive-field")
    assert torch.equal(cam.values, expected.values)
    assert cam.centres.t.tolist() == expected.centres.t.tolist()


def test_a_network_that_fails_on_every_input_fails_with_its_own_error() -> None:
    class Broken(OffCentre):
        def forward(self, x: Tensor) -> Tensor:
            outputs = super().forward(x)
            return outputs if x.is_meta else outputs.reshape(7, 7)

    with (
        pytest.warns(UserWarning, match="the alignment is not measured"),
        pytest.raises(RuntimeError, match="7, 7"),
    ):
        compute_cams(Broken(), torch.zeros(1, 3, 8, 16, 16), layers=["conv"])


class EverySecond(OffCentre):
    """Chooses frames by index, in which receptive-field arithmetic sees no stride."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[:, :, torch.arange(0, x.shape[2], 2)])


@pytest.mark.parametrize("channels", [3, 5])
def test_cells_that_are_spread_evenly_for_want_of_arithmetic_are_told(
    channels: int, recwarn: pytest.WarningsRecorder
) -> None:
    network, x = EverySecond().eval(), torch.zeros(1, channels, 8, 16, 16)
    network.conv = nn.Conv3d(channels, 4, 3, stride=2, padding=1)
    told = r"in front of layer 'conv' are not all known, .* evenly in time, .*"
    with pytest.warns(UserWarning, match=told + 'alignment "probe" measures') as caught:
        [cam] = compute_cams(network, x, layers=["conv"], align="receptive-field")
    assert caught[0].filename == __file__ and cam.centres.t.tolist() == [1.5, 5.5]
    if channels == 3:
        compute_cams(network, x, layers=["conv"])
    else:  # drawn clips have three channels
        with pytest.warns(UserWarning, match=told + "read its times with care"):
            compute_cams(network, x, layers=["conv"])
    compute_cams(network, x, layers=["conv"], align="half-pixel")
    compute_cams(network, x, layers=["conv"], unpack=to_grid_of_tokens, align="receptive-field")
    assert not recwarn


def test_finer_detail_is_no_reason_to_tell_of_spread_cells(
    bundled: Classifier, recwarn: pytest.WarningsRecorder
) -> None:
    """Its maps have a cell for each frame, and their layer has not."""
    [cam] = compute_cams(
        bundled.module,
        torch.randn(1, 3, 16, 64, 64, generator=torch.Generator().manual_seed(0)),
        layers=["layer4"],
        targets=[0],
        detail="layers",
        align="receptive-field",
    )
    assert len(cam.centres.t) == 16 and not recwarn


def to_grid_of_tokens(output: Tensor) -> Tensor:
    return output
