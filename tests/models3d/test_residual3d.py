"""The residual network's kernels, spread over time after training on single frames."""

from __future__ import annotations

import pytest
import torch

from models3d.recipe import Recipe, TextureRecipe
from models3d.texture3d import texture3d


def test_spread_over_time_a_still_clip_gives_what_its_frame_gave() -> None:
    torch.manual_seed(0)
    net = texture3d().eval()
    frame = torch.randn(1, 3, 1, 32, 32)
    still = frame.expand(-1, -1, 16, -1, -1)
    with torch.no_grad():
        one = net.layer2(net.layer1(net.stem(frame)))
        net.spread_over_time()
        many = net.layer2(net.layer1(net.stem(still)))
    # Five convolutions reach the zeros beyond the clip from five frames.
    torch.testing.assert_close(
        many[:, :, 5:11], one.expand(-1, -1, 6, -1, -1), rtol=1e-4, atol=1e-5
    )
    assert one.std() > 0.01


@pytest.mark.parametrize(
    ("recipe", "cycle", "spread"),
    [
        (TextureRecipe(), 0, False),
        (TextureRecipe(), 1, False),
        (TextureRecipe(), 2, False),
        (TextureRecipe(), 3, True),
        (Recipe(), 1, False),
    ],
)
def test_kernels_are_spread_where_clips_get_more_frames(
    recipe: Recipe, cycle: int, spread: bool
) -> None:
    net = recipe.build()
    recipe.begin_cycle(cycle, net)
    weight = net.layer1.conv1.weight
    assert torch.equal(weight[:, :, 0], weight[:, :, 2]) == spread
