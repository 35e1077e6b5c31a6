"""Networks whose scores of a clip depend on the batch are given one clip at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import video_cam
from video_cam import UsageError, compute_cams
from video_cam.models.clip_mixing import NOTE, mixes_clips
from video_cam.utils.notes import Note

SIZE = (8, 16, 16)
INPUT = {"num_frames": 8, "size": (16, 16), "frame_rate": 8}


class Network(nn.Module):
    """Scores of each clip, changed by ``change`` over the batch."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv3d(3, 4, 3, 2, 1), nn.Linear(4, 3)
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        GIVEN.append(len(x))
        return self.change(self.fc(self.conv(x).relu().mean((2, 3, 4))))


GIVEN: list[int] = []


def mean_added(scores: Tensor) -> Tensor:
    return scores + scores.mean(0, keepdim=True)


def order_changed(scores: Tensor) -> Tensor:
    return scores.flip(0)


def unchanged(scores: Tensor) -> Tensor:
    return scores


def one_clip_only(scores: Tensor) -> Tensor:
    return scores.view(1, 3)


@pytest.mark.parametrize(
    ("change", "expected"),
    [(mean_added, True), (order_changed, True), (unchanged, False), (one_clip_only, None)],
)
def test_whether_clips_are_mixed(change: Callable[[Tensor], Tensor], expected: bool | None) -> None:
    torch.manual_seed(0)
    assert mixes_clips(Network(change), SIZE) is expected


@pytest.mark.parametrize("change", [mean_added, one_clip_only])
def test_such_a_network_is_given_one_window_at_a_time(
    change: Callable[[Tensor], Tensor], sample_clip: Path
) -> None:
    torch.manual_seed(0)
    model = video_cam.load_model(Network(change), **INPUT)
    assert model.max_batch == 1
    GIVEN.clear()
    explanation = video_cam.explain(
        sample_clip, model, layers=["conv"], align="receptive-field", window_stride=4
    )
    assert set(GIVEN) == {1} and len(GIVEN) > 4
    assert (Note(NOTE) in explanation.notes) == (change is mean_added)


def test_other_networks_get_batches(sample_clip: Path) -> None:
    model = video_cam.load_model(Network(unchanged), **INPUT)
    assert model.max_batch is None and not model.notes


class Folding(nn.Module):
    """Frames as samples of a convolution of images, those of all clips in one of two orders."""

    def __init__(self, time_first: bool) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3, 2, 1), nn.Linear(4, 3)
        self.time_first = time_first

    def forward(self, x: Tensor) -> Tensor:
        n, c, t, h, w = x.shape
        order = (2, 0, 1, 3, 4) if self.time_first else (0, 2, 1, 3, 4)
        features = self.conv(x.permute(order).reshape(t * n, c, h, w)).relu().mean((2, 3))
        shape = (t, n, 4) if self.time_first else (n, t, 4)
        return self.fc(features.view(shape).mean(0 if self.time_first else 1))


@pytest.mark.parametrize("time_first", [True, False])
def test_frames_that_are_folded_time_first_give_the_same_maps(
    time_first: bool, sample_clip: Path
) -> None:
    torch.manual_seed(0)
    model = video_cam.load_model(Folding(time_first), **INPUT)
    assert model.max_batch == (1 if time_first else None)
    maps = [
        video_cam.explain(
            sample_clip, model, class_ids=[1], align="half-pixel", window_stride=4, batch_size=size
        )
        .maps[0]
        .values
        for size in (1, 4)
    ]
    np.testing.assert_allclose(maps[0], maps[1], rtol=1e-4, atol=1e-6)


def test_a_batch_of_clips_whose_frames_are_time_first_is_refused() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, *SIZE)
    options = {"layers": ["conv"], "targets": [1], "align": "half-pixel"}
    with pytest.raises(UsageError, match="time first"):
        compute_cams(Folding(True), x, **options)
    network = Folding(False)
    [both], [alone] = (compute_cams(network, clips, **options) for clips in (x, x[:1]))
    torch.testing.assert_close(both.values[:1], alone.values)
