"""Video transformers of the transformers package: a patch moved by one token moves every map."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.models.test_huggingface import JEPA, SMALL
from tests.support.random_networks import fill
from video_cam import compute_cams
from video_cam.choice_names import ATTENTION_METHOD_NAMES
from video_cam.models.huggingface_video import VIDEO_FAMILIES

transformers = pytest.importorskip("transformers")

# The published networks' patches of 16 pixels and tubelets of two frames, 3x3x3 tokens; TimeSformer
# has a token for each frame.
TOKENS = {"image_size": 48, "num_frames": 6}
NETWORKS: dict[str, tuple[str, dict[str, Any], int]] = {
    "videomae": ("VideoMAE", SMALL | TOKENS | {"patch_size": 16, "tubelet_size": 2}, 2),
    "timesformer": (
        "Timesformer",
        SMALL | {"image_size": 48, "patch_size": 16, "num_frames": 3},
        1,
    ),
    "vivit": ("Vivit", SMALL | TOKENS | {"tubelet_size": [2, 16, 16]}, 2),
    "vjepa2": (
        "VJEPA2",
        JEPA | {"crop_size": 48, "patch_size": 16, "frames_per_clip": 6, "tubelet_size": 2},
        2,
    ),
}


def without_positions(kind: str) -> nn.Module:
    """A network that does not know where a token is, so that a moved input moves its tokens."""
    name, values, _ = NETWORKS[kind]
    model = getattr(transformers, f"{name}ForVideoClassification")(
        getattr(transformers, f"{name}Config")(**values)
    )
    fill(model).double().eval()
    for module in model.modules():
        for table in ("position_embeddings", "time_embeddings"):
            if isinstance(getattr(module, table, None), Tensor):
                getattr(module, table).data.zero_()
        if hasattr(module, "get_position_ids"):  # of rotary positions
            module.get_position_ids = lambda x, masks=None: (torch.zeros(x.shape[1]).double(),) * 3
    return model


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_patch_moved_by_a_token_moves_every_map(kind: str) -> None:
    model, tubelet = without_positions(kind), NETWORKS[kind][2]
    frames = 3 * tubelet
    x = torch.randn(1, frames, 3, 48, 48, generator=torch.Generator().manual_seed(0)).double()
    x[:, :tubelet, :, 16:32, :16] += 2
    layer = VIDEO_FAMILIES[kind].default_layer(model.config)
    methods = ["gradcam", *ATTENTION_METHOD_NAMES]

    def maps(clip: Tensor) -> dict[str, Tensor]:
        cams = compute_cams(
            model, clip, layers=[layer], methods=methods, targets=[2], align="receptive-field"
        )
        return {cam.method: cam.values for cam in cams}

    first = maps(x)
    for axis, (dim, pixels) in enumerate(((1, tubelet), (3, 16), (4, 16))):
        moved = maps(x.roll(pixels, dim))
        for method in methods:
            expected = first[method].roll(1, 1 + axis)
            assert first[method].shape == (1, 3, 3, 3)
            assert (expected - first[method]).abs().max() > 1e-7  # a map that stays would be wrong
            torch.testing.assert_close(moved[method], expected, rtol=1e-4, atol=1e-9)
