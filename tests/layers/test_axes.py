"""Networks whose forward takes tensors in a dict, by name or as one argument."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.support.networks import PoolLinear, clip, seeded
from video_cam import compute_cams


class _Named(PoolLinear):
    def forward(self, pixel_values: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().forward(pixel_values if mask is None else pixel_values * mask)


class _OneDict(PoolLinear):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return super().forward(batch["frames"])


@pytest.mark.parametrize("method", ["gradcam", "smoothgradcam++", "ablationcam", "scorecam"])
def test_inputs_in_dicts(method: str) -> None:
    options = {"layers": ["conv2"], "methods": [method], "targets": [1], "align": "half-pixel"}
    [expected] = compute_cams(seeded(PoolLinear), clip(), **options)
    named = {"pixel_values": clip(), "mask": torch.ones(2, 1, 1, 1, 1, dtype=torch.int64)}
    if method == "scorecam":
        del named["mask"]
    for network, x in ((_Named, named), (_OneDict, {"frames": clip()})):
        [cam] = compute_cams(seeded(network), x, **options)
        torch.testing.assert_close(cam.values, expected.values)


class _TwoArguments(PoolLinear):
    def forward(self, frames: Tensor, sound: Tensor, gain: float = 1.0) -> Tensor:
        return super().forward(frames) + gain * sound.mean((1, 2))[:, None]


class _AnyNumber(_TwoArguments):
    def forward(self, *inputs: Tensor) -> Tensor:
        return super().forward(*inputs)


class _OneTuple(_TwoArguments):
    def forward(self, batch: tuple[Tensor, Tensor], gain: float = 1.0) -> Tensor:
        return super().forward(*batch, gain)


class _OneDictWithSound(_TwoArguments):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return super().forward(batch["frames"], batch["sound"])


@pytest.mark.parametrize("method", ["gradcam", "ablationcam", "scorecam"])
def test_clips_with_sound_in_tuples_and_dicts(method: str) -> None:
    """The sound adds the same number to every score, so the maps are those without it."""
    options = {"layers": ["conv2"], "methods": [method], "targets": [1], "align": "half-pixel"}
    sound = torch.randn(2, 1, 50, dtype=clip().dtype)
    named = {"frames": clip(), "sound": sound}
    found = [
        compute_cams(seeded(network), x, batch_size=3, **options)[0].values
        for network, x in (
            (_TwoArguments, (clip(), sound)),
            (_TwoArguments, named),
            (_AnyNumber, (clip(), sound)),
            (_OneTuple, (clip(), sound)),
            (_OneDictWithSound, named),
        )
    ]
    for values in found[1:]:
        torch.testing.assert_close(values, found[0])
    if method != "ablationcam":  # its weights are relative to the score
        [expected] = compute_cams(seeded(PoolLinear), clip(), **options)
        torch.testing.assert_close(found[0], expected.values)


@pytest.mark.parametrize("options", [{"methods": ["scorecam"]}, {"aug_smooth": True}])
def test_the_picture_of_a_clips_sound_is_not_changed_with_the_clip(options: dict) -> None:
    seen: list[Tensor] = []

    class Spectrogram(_TwoArguments):
        def forward(self, frames: Tensor, sound: Tensor) -> Tensor:
            seen.append(sound[0, 0])
            return super().forward(frames, sound[:, 0])

    options |= {"layers": ["conv2"], "targets": [1], "align": "half-pixel"}
    picture = torch.randn(2, 1, 9, 7, dtype=clip().dtype)
    [found] = compute_cams(seeded(Spectrogram), (clip(), picture), **options)
    [expected] = compute_cams(seeded(PoolLinear), clip(), **options)
    torch.testing.assert_close(found.values, expected.values)
    flipped = picture[:, 0].flip(-1)
    assert not any(torch.equal(one, other) for one in seen if one.is_cpu for other in flipped)


def test_one_dict_for_a_network_that_ends_in_a_softmax() -> None:
    class Probabilities(_OneDict):
        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            return super().forward(batch).softmax(1)

    class Logs(_OneDict):
        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            return super().forward(batch).log_softmax(1)

    options = {"layers": ["conv2"], "targets": [1], "align": "half-pixel"}
    [found] = compute_cams(seeded(Probabilities), {"frames": clip()}, **options)
    [expected] = compute_cams(seeded(Logs), {"frames": clip()}, **options)
    torch.testing.assert_close(found.values, expected.values)
