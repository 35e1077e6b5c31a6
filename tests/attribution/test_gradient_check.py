"""The sum of a map against a finite difference of the score, in float64, for every kind of head.

Moving a layer's activation A along D changes the score by sum(G D). For D = A this is the sum of
the HiResCAM map; for D = the mean of each channel of A over its grid, it is that of Grad-CAM.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18
from torchvision.models.video import r3d_18
from torchvision.models.video.mvit import MSBlockConfig, MViT
from torchvision.models.video.swin_transformer import SwinTransformer3d
from torchvision.models.vision_transformer import VisionTransformer

from models3d.frame_lstm import FrameLSTM
from tests.support.random_networks import fill, no_initialisation
from video_cam import compute_cams
from video_cam.config import InputConfig
from video_cam.layers.hooks import find_module
from video_cam.models.classifier import Classifier, make_classifier
from video_cam.models.spec import USER_NETWORK

STEP = 1e-5


def small_mvit() -> nn.Module:
    blocks = [
        MSBlockConfig(1, 8, 8, [3, 3, 3], [1, 1, 1], [1, 1, 1], [1, 2, 2]),
        MSBlockConfig(2, 8, 16, [3, 3, 3], [1, 1, 1], [1, 2, 2], [1, 1, 1]),
    ]
    return MViT((32, 32), 4, blocks, False, False, False, False, num_classes=3)


def small_swin() -> nn.Module:
    return SwinTransformer3d([2, 4, 4], 8, [1, 1], [1, 2], [2, 4, 4], num_classes=3)


def hugging_face() -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.TimesformerConfig(
        image_size=32,
        patch_size=8,
        num_frames=3,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=3,
    )
    return transformers.TimesformerForVideoClassification(config)


# network, layout, (T, H, W), layer
HEADS: dict[str, tuple[Callable[[], nn.Module], str, tuple[int, int, int], str]] = {
    "3D convolutions": (lambda: r3d_18(num_classes=3), "NCTHW", (4, 16, 16), "layer3"),
    "frames": (lambda: resnet18(num_classes=3), "frames", (2, 32, 32), "layer3"),
    "recurrent": (lambda: FrameLSTM(3), "NCTHW", (3, 16, 16), "cnn"),
    "class token": (
        lambda: VisionTransformer(16, 4, 2, 2, 8, 16, num_classes=3),
        "frames",
        (2, 16, 16),
        "encoder.layers.encoder_layer_1.ln_1",
    ),
    "Swin": (small_swin, "NCTHW", (4, 32, 32), "features.0"),
    "MViT": (small_mvit, "NCTHW", (4, 32, 32), "blocks.0"),
    "divided attention": (hugging_face, "NTCHW", (3, 32, 32), "timesformer.encoder.layer.0"),
}


@pytest.mark.parametrize("head", HEADS)
def test_sum_of_map_against_finite_difference(head: str) -> None:
    build, layout, size, layer = HEADS[head]
    config = InputConfig(num_frames=size[0], size=size[1:], layout=layout)
    with no_initialisation():
        network = build()
    network = fill(network).double().eval()
    model = make_classifier(network, head, "none", USER_NETWORK, config, ("a", "b", "c"))
    model = replace(model, space_first=head == "divided attention")
    x = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    folds = model.layers(size, [layer]).folds
    gradcam, hirescam = compute_cams(
        model.module,
        x,
        layers=[layer],
        methods=["gradcam", "hirescam"],
        targets=[1],
        unpack=folds,
        align="half-pixel",
    )
    along_mean = _slope(model, layer, x, lambda A: A.mean((2, 3, 4), keepdim=True).expand_as(A))
    along_itself = _slope(model, layer, x, lambda A: A)
    for cam, slope in ((gradcam, along_mean), (hirescam, along_itself)):
        cells = cam.values.double()  # rounded to float32, so the tolerance is relative to them
        assert cells.abs().sum() > 0
        assert float(cells.sum()) == pytest.approx(
            slope, abs=1e-5 * float(cells.abs().sum()) + 1e-9
        )


def _slope(
    model: Classifier, layer: str, x: Tensor, direction: Callable[[Tensor], Tensor]
) -> float:
    """The derivative of the score along a direction of the layer's grid, by central differences."""
    fold = model.layers(x.shape[2:], [layer]).folds[layer]
    scores = []
    for step in (STEP, -STEP):

        def moved(_module: nn.Module, _arguments: Any, output: Any, step: float = step) -> Any:
            first = output[0] if isinstance(output, tuple) else output
            # The fold only moves elements, so its transpose moves them back.
            grid, transposed = torch.func.vjp(fold, first)
            (change,) = transposed(direction(grid))
            changed = first + step * change
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        handle = find_module(model.module, layer).register_forward_hook(moved)
        try:
            with torch.no_grad():
                outputs = model.module(x)
        finally:
            handle.remove()
        logits = getattr(outputs, "logits", outputs)
        logits = logits.mean(1) if logits.ndim == 3 else logits
        scores.append(float(logits[0, 1]))
    return (scores[0] - scores[1]) / (2 * STEP)
