"""Test-time augmentation against maps of inputs that are augmented by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support.networks import Nonlinear, clip, seeded
from video_cam import ActivationMap, UsageError, compute_cams
from video_cam.attribution.augmentation import Augmentation, augment, augmentations, undo
from video_cam.layers.alignment import CellCentres

FACTORS = (0.9, 1, 1.1)


def cam_of(network: nn.Module, x: Tensor, **options: Any) -> ActivationMap:
    [cam] = compute_cams(
        network, x, layers=["layer2"], targets=[1], align="receptive-field", **options
    )
    return cam


def test_augmentations() -> None:
    assert augmentations(smooth=False, shift=0) == [Augmentation()]
    smooth = augmentations(smooth=True, shift=0)
    assert smooth[0] == Augmentation() and len(set(smooth)) == 6
    assert {one.factor for one in smooth} == set(FACTORS)
    both = augmentations(smooth=True, shift=2)
    assert len(set(both)) == 18 and {one.shift for one in both} == {-2, 0, 2}


def test_aug_smooth_is_the_mean_over_flips_of_width_and_factors() -> None:
    network, x = seeded(Nonlinear), clip()
    expected = torch.stack(
        [cam_of(network, x * factor).values for factor in FACTORS]
        + [cam_of(network, x.flip(4) * factor).values.flip(3) for factor in FACTORS]
    ).mean(0)
    found = cam_of(network, x, aug_smooth=True).values
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(found, cam_of(network, x).values, rtol=1e-2)


@pytest.mark.parametrize("shift", [1, 3])
def test_aug_shift_is_the_mean_over_the_clip_earlier_and_later(shift: int) -> None:
    """In a clip that is s frames later, the value at position c + s belongs to c."""
    network, x = seeded(Nonlinear), clip(size=(8, 12, 10))
    plain = cam_of(network, x)
    later = torch.cat([x[:, :, :1]] * shift + [x[:, :, :-shift]], 2)
    earlier = torch.cat([x[:, :, shift:]] + [x[:, :, -1:]] * shift, 2)
    of_later, of_earlier = (cam_of(network, one).values.numpy() for one in (later, earlier))
    centres = plain.centres.t
    assert len(centres) < 8  # the layer has strides in time: the shift is a fraction of a cell
    expected = plain.values.numpy().copy()
    for n, i, j in np.ndindex(len(x), *expected.shape[2:]):
        expected[n, :, i, j] += np.interp(centres + shift, centres, of_later[n, :, i, j])
        expected[n, :, i, j] += np.interp(centres - shift, centres, of_earlier[n, :, i, j])
    found = cam_of(network, x, aug_shift=shift).values
    np.testing.assert_allclose(found, expected / 3, rtol=1e-4, atol=1e-6)


def test_undo_brings_a_map_back() -> None:
    values = torch.arange(8.0).reshape(1, 4, 1, 2)
    centres = CellCentres(np.array([0.0, 2, 4, 6]), np.array([0.0]), np.array([0.0, 1]))
    later = undo(values, Augmentation(shift=2), centres)  # one cell
    assert later[0, :, 0, 0].tolist() == [2, 4, 6, 6]
    half = undo(values, Augmentation(shift=-1), centres)
    assert half[0, :, 0, 0].tolist() == [0, 1, 3, 5]
    flipped = undo(values, Augmentation(flip=True), centres)
    assert flipped[0, 0, 0].tolist() == [1, 0]


def test_of_several_inputs_all_move_by_the_same_time() -> None:
    fast, slow, mask = clip(size=(8, 4, 4)), clip(size=(4, 4, 4)), torch.ones(2, 8)
    x = {"fast": fast, "slow": slow, "mask": mask}
    moved = augment(x, Augmentation(shift=2))
    assert torch.equal(moved["fast"][:, :, 2:], fast[:, :, :-2])
    assert torch.equal(moved["slow"][:, :, 1:], slow[:, :, :-1])
    assert torch.equal(moved["mask"], mask)
    assert torch.equal(x["fast"], clip(size=(8, 4, 4)))


def test_a_shift_of_images_is_refused() -> None:
    with pytest.raises(UsageError, match="aug_shift=1 moves a clip in time"):
        augment(clip()[:, :, 0], Augmentation(shift=1))
    with pytest.raises(UsageError, match="aug_shift -1 must be 0 or more"):
        compute_cams(seeded(Nonlinear), clip(), layers=["layer2"], aug_shift=-1)


def test_aug_smooth_keeps_the_class_and_scores_of_the_input_itself() -> None:
    network, x = seeded(Nonlinear).eval(), clip(3)
    options = {"layers": ["layer2"], "align": "receptive-field"}
    [cam] = compute_cams(network, x, aug_smooth=True, **options)
    assert cam.class_ids.tolist() == network(x).argmax(1).tolist()
    torch.testing.assert_close(cam.scores, network(x).max(1).values.float().detach())


def test_numbers_beside_the_frames_stay_as_they_are() -> None:
    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv3d(3, 2, 1)

        def forward(self, frames: Tensor, sound: Tensor) -> Tensor:
            if not sound.is_meta:
                received.append(sound[0].tolist())
            return self.layer(frames).mean((2, 3, 4)) + sound[:, :2]

    network, received = Beside(), []
    x = {"frames": torch.randn(1, 3, 2, 4, 4), "sound": torch.tensor([[0.0, 0, 0, 10]])}
    compute_cams(network, x, layers=["layer"], aug_smooth=True, align="receptive-field")
    assert received == [[0, 0, 0, 10]] * 6
