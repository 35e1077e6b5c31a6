"""Samples of inputs in any container, changed and joined again."""

from __future__ import annotations

import pytest
import torch

from video_cam import UsageError
from video_cam.perturbation.samples import change_clips, join_samples, samples_of


def test_samples_are_joined_to_what_they_were_taken_from() -> None:
    x = {
        "pathways": [torch.randn(2, 3, 4, 5, 5), torch.randn(2, 3, 8, 5, 5)],
        "sound": torch.randn(2, 7),
        "rate": torch.tensor(2.0),
    }
    samples = samples_of(x, 2)
    assert samples[1]["sound"].shape == (1, 7)
    joined = join_samples([samples[0], samples[1]])
    for one, other in zip(joined["pathways"], x["pathways"], strict=True):
        assert torch.equal(one, other)
    assert torch.equal(joined["sound"], x["sound"]) and joined["rate"] == 2
    twice = join_samples([samples[1]] * 3)
    assert torch.equal(twice["pathways"][0], x["pathways"][0][1:].repeat(3, 1, 1, 1, 1))


def test_clips_are_changed_and_what_lies_beside_them_is_not() -> None:
    clip, picture = torch.randn(1, 3, 4, 5, 5), torch.randn(1, 3, 9, 9)
    ids = torch.ones(1, 3, 4, 5, 5, dtype=torch.int64)
    changed = change_clips(lambda c: c + 1, (clip, picture, ids))
    assert torch.equal(changed[0], clip + 1)
    assert changed[1] is picture and changed[2] is ids
    # Without clips the images are changed; frames in the first axis are those of one clip.
    frames = torch.randn(6, 3, 5, 5)
    shapes = []
    result = change_clips(lambda c, d: shapes.append((c.shape, d.shape)) or d, frames, 2 * frames)
    assert torch.equal(result, 2 * frames) and shapes == [((3, 6, 5, 5), (3, 6, 5, 5))]


def test_several_clips_of_one_sample_are_refused() -> None:
    for x in (torch.randn(2, 3, 4, 5, 5), torch.randn(1, 12)):
        with pytest.raises(UsageError, match="only clips and images can be altered"):
            change_clips(lambda clip: clip, x)
