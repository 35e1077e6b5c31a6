"""Random masks: their mean, their shift, whole cells, and the same ones for the same seed."""

from __future__ import annotations

import torch

from video_cam.perturbation.soft_masks import KEPT, MaskDrawing

SIZE, CELLS = (8, 12, 18), (2, 3, 3)


def test_the_mean_is_the_same_everywhere() -> None:
    masks = torch.stack([mask.over(SIZE) for mask in MaskDrawing(CELLS, SIZE, 0).draw(2000)])
    assert masks.min() >= 0 and masks.max() <= 1
    # A mask's variance is at most 1/4, so the standard error of a mean is at most 0.011.
    assert (masks.mean(0) - KEPT).abs().max() < 4.5 * 0.5 / 2000**0.5
    # Linear interpolation with a random shift: 2/3 of the variance for each axis.
    variance = masks.var(0)
    assert abs(variance.mean() / (KEPT * (1 - KEPT) * (2 / 3) ** 3) - 1) < 0.05
    assert variance.max() / variance.min() < 1.6  # no grid is left in them


def test_a_mask_is_linear_between_its_nodes() -> None:
    [mask] = MaskDrawing((1, 1, 3), (4, 4, 30), 1).draw(1)
    line = mask.over((4, 4, 30))[0, 0]
    slopes = line.diff()
    assert slopes.abs().max() > 0
    changes = (slopes.diff().abs() > 1e-5).sum()
    assert changes <= 2 * 3  # within one line at most at each node, where two slopes meet


def test_cells_of_single_frames_are_kept_or_removed_as_a_whole() -> None:
    for mask in MaskDrawing((4, 2, 2), (4, 2, 2), 0).draw(5):
        values = mask.over((4, 2, 2))
        assert {*values.flatten().tolist()} <= {0.0, 1.0}
        # A pathway with fewer frames takes those at the same times.
        assert torch.equal(mask.over((2, 2, 2)), values[1::2])


def test_masks_are_drawn_one_after_the_other_and_by_their_seed() -> None:
    state = torch.get_rng_state()
    whole = MaskDrawing(CELLS, SIZE, 3).draw(6)
    drawing = MaskDrawing(CELLS, SIZE, 3)
    parts = [*drawing.draw(2), *drawing.draw(4)]
    for one, other in zip(whole, parts, strict=True):
        assert torch.equal(one.over(SIZE), other.over(SIZE))
    [another] = MaskDrawing(CELLS, SIZE, 4).draw(1)
    assert not torch.equal(another.over(SIZE), whole[0].over(SIZE))
    assert torch.equal(torch.get_rng_state(), state)


def test_blending_takes_the_fill_where_the_mask_is_0() -> None:
    [mask] = MaskDrawing(CELLS, SIZE, 0).draw(1)
    clip, fill = torch.full((2, *SIZE), 3.0), torch.full((2, *SIZE), 1.0)
    torch.testing.assert_close(mask.blended(clip, fill), 1 + 2 * mask.over(SIZE).expand(2, *SIZE))
