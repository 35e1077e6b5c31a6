"""Maps of the whole input beside those of layers, and on networks without any layer."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from tests.support.input_methods import quick_input_method
from tests.support.networks import Nonlinear, clip, seeded
from video_cam import UsageError, compute_cams, upsample
from video_cam.attribution.augmentation import augment, augmentations, undo
from video_cam.attribution_config import AttributionConfig
from video_cam.config import ExplainConfig


class NoLayers(nn.Module):
    """Scores without parameters, modules or gradients: brightness of two halves of the frames."""

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        assert not torch.is_grad_enabled()
        half = x.shape[2] // 2
        parts = (x[:, :, :half], x[:, :, half:])
        return torch.stack([part.mean((1, 2, 3, 4)) for part in parts], 1)


def test_maps_of_the_input_come_once_for_each_target_behind_those_of_layers(monkeypatch) -> None:
    calls = quick_input_method(monkeypatch, "occlusion")
    network, x = seeded(Nonlinear), clip()
    layers, methods = ["layer3", "layer2"], ["occlusion", "gradcam", "layercam"]
    cams = compute_cams(
        network,
        x,
        layers=layers,
        methods=methods,
        targets=[1, None],
        detail="layers",
        align="half-pixel",
    )
    one_target = [*product(layers, methods[1:]), ("input", "occlusion")]
    assert [(one.layer, one.method) for one in cams] == [*one_target, *one_target]
    assert calls == [2]  # both targets at once
    for cam in (cams[4], cams[9]):
        assert cam.detail == "none" and cam.values.shape == (len(x), 2, 1, 2)
        assert torch.equal(cam.values[:, 1, 0, 1], cam.scores) and cam.values.dtype == torch.float32
        assert upsample(cam, (8, 4, 4)).shape == (len(x), 8, 4, 4)
    alone = compute_cams(network, x, methods=["gradcam"], layers=layers, targets=[1])
    for found, expected in zip((cams[0], cams[2]), alone, strict=True):
        assert found.method == "gradcam" and torch.equal(found.scores, expected.scores)


def test_a_network_without_layers_parameters_and_gradients() -> None:
    x = torch.zeros(1, 3, 8, 16, 16)
    x[:, :, :2, :4, :4] = 1
    network = NoLayers()
    [cam] = compute_cams(network, x, methods=["occlusion"], targets=[0], detail="layers")
    assert cam.layer == "input" and cam.values.argmax() == 0 and cam.values.max() > 0
    assert not list(network.children()) and network.training


def test_a_pass_without_layers_keeps_no_graph(monkeypatch) -> None:
    quick_input_method(monkeypatch, "occlusion")
    network, enabled = seeded(Nonlinear), []
    network.fc.register_forward_hook(lambda *_: enabled.append(torch.is_grad_enabled()))
    compute_cams(network, clip(), methods=["occlusion"], targets=[0])
    assert enabled and not any(enabled[-1:])


def test_flipped_and_moved_inputs_are_averaged_at_their_own_cells(monkeypatch) -> None:
    quick_input_method(monkeypatch, "occlusion")
    network, x = seeded(Nonlinear), clip()
    plain, smooth = (
        compute_cams(
            network, x, layers=["layer3"], methods=["gradcam", "occlusion"], aug_smooth=smooth
        )[1]
        for smooth in (False, True)
    )
    best = plain.class_ids.tolist()
    flipped = [
        compute_cams(network, x.flip(-1) * f, methods=["occlusion"], targets=[best])[0].values.flip(
            -1
        )
        for f in (1, 0.9, 1.1)
    ]
    own = [
        compute_cams(network, x * f, methods=["occlusion"], targets=[best])[0].values
        for f in (1, 0.9, 1.1)
    ]
    assert smooth.values.shape == plain.values.shape
    torch.testing.assert_close(smooth.values, torch.stack([*own, *flipped]).mean(0))
    # Each map is moved by its own centres: the layer has other ones.
    layers, methods = ["layer3"], ["gradcam", "occlusion"]
    moved = compute_cams(network, x, layers=layers, methods=methods, targets=[1], aug_shift=1)[1]
    parts = []
    for augmentation in augmentations(smooth=False, shift=1):
        shifted = augment(x, augmentation)
        [cam] = compute_cams(network, shifted, methods=["occlusion"], targets=[1])
        parts.append(undo(cam.values, augmentation, cam.centres))
    torch.testing.assert_close(moved.values, torch.stack(parts).mean(0))


def test_what_is_about_layers_is_refused_in_one_line() -> None:
    network, x = seeded(Nonlinear), clip()
    for options, words in (
        ({"methods": ["gradcam"]}, "no layer is named for gradcam: give layers="),
        ({"methods": ["occlusion"], "layers": ["layer3"]}, "layer3 are named, and occlusion"),
        ({"methods": ["occlusion"], "eigen_smooth": True}, "eigen_smooth combines a layer's"),
    ):
        with pytest.raises(UsageError, match=words):
            compute_cams(network, x, **options)
    for option in ({"layers": ("layer3",)}, {"conv_backcount": (1,)}, {"fuse": "mean"}):
        with pytest.raises(
            UsageError, match=f"{next(iter(option))} is about maps of layers, and occl"
        ):
            ExplainConfig(methods=("occlusion",), **option)
        ExplainConfig(methods=("occlusion", "gradcam"), **option)
    mixed = AttributionConfig(methods=("occlusion", "fem"))
    assert (mixed.layer_methods, mixed.input_methods) == (("fem",), ("occlusion",))
