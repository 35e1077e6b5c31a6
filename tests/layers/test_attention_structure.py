"""Between which tokens networks attend: windows, pooled keys, calls that do not see the clip."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models.video.mvit import MSBlockConfig, MViT
from torchvision.models.video.swin_transformer import SwinTransformer3d

from tests.support.attention_networks import Joint
from tests.support.networks import clip, seeded
from tests.support.random_networks import fill
from video_cam import UsageError
from video_cam.layers.attention_structure import find_attention


def windows(shift: tuple[int, int, int]) -> set[frozenset[int]]:
    """Tokens of a 2x8x8 grid in windows of 2x4x4, after the grid is rolled."""
    rolled = np.roll(np.arange(128).reshape(2, 8, 8), [-one for one in shift], (0, 1, 2))
    corners = [(y, x) for y in (0, 4) for x in (0, 4)]
    return {frozenset(rolled[:, y : y + 4, x : x + 4].ravel().tolist()) for y, x in corners}


def test_swin_attends_within_windows_that_shift_and_merges_tokens_between_stages() -> None:
    model = fill(SwinTransformer3d([2, 4, 4], 12, [2, 1], [2, 2], [2, 4, 4], num_classes=4)).eval()
    found = find_attention(model, torch.randn(1, 3, 4, 32, 32))
    for call, shift in zip(found.calls[:2], ((0, 0, 0), (0, 2, 2)), strict=True):
        parts = call.keys.unflatten(0, (call.parts, -1)).tolist()
        assert {frozenset(part) for part in parts} == windows(shift)
        assert torch.equal(call.queries, call.keys)
    first, second = found.stages
    assert first.fold.grid == (2, 8, 8) and second.fold.grid == (2, 4, 4)
    t, y, x = np.indices((2, 8, 8))
    merged = (t * 16 + y // 2 * 4 + x // 2).ravel()
    assert first.feeds[first.cells].tolist() == merged.tolist()
    assert first.share.tolist() == [0.25] * 128


def test_mvits_pooled_keys_are_refused() -> None:
    def block(inputs: int, outputs: int, stride: list[int]) -> MSBlockConfig:
        return MSBlockConfig(2, inputs, outputs, [3, 3, 3], [3, 3, 3], stride, [1, 2, 2])

    blocks = [block(8, 8, [1, 1, 1]), block(8, 16, [1, 2, 2])]
    model = fill(MViT((32, 32), 8, blocks, False, False, False, False, num_classes=4)).eval()
    with pytest.raises(UsageError, match="not between single tokens: its keys or queries are pool"):
        find_attention(model, torch.randn(1, 3, 8, 32, 32))


class BesideTheClip(Joint):
    """Attends among learned prompts, too."""

    def __init__(self) -> None:
        super().__init__()
        self.prompts = nn.Parameter(torch.randn(1, 5, 12))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.fc(self.blocks[0].attn(self.prompts).mean(1))


def test_attention_that_does_not_depend_on_the_clip_is_left_out() -> None:
    found = find_attention(seeded(BesideTheClip), clip())
    assert [call is None for call in found.calls] == [False, False, True]
    assert found.blocks == ("blocks.0", "blocks.1")
    assert found.read.nonzero().tolist() == [[0]]  # the class token


def test_single_frames_in_a_loop_are_refused_in_one_line() -> None:
    class Loop(Joint):
        def forward(self, x: Tensor) -> Tensor:
            half = x.shape[2] // 2
            return super().forward(x[:, :, :half]) + super().forward(x[:, :, half:])

    with pytest.raises(UsageError, match="take a CAM method such as gradcam") as error:
        find_attention(seeded(Loop), clip())
    assert "\n" not in str(error.value)
