"""Which clips are drawn for training, with which difficulty and learning rate."""

from __future__ import annotations

import pytest
import torch

from models3d import CLASSES, NOTHING, draw_clip, motion3d
from models3d.evaluation import evaluate
from models3d.recipe import (
    FIRST_TRAINING_SEED,
    RECIPES,
    DrawnBatches,
    Recipe,
    TextureRecipe,
    cut_off_event,
)
from models3d.tasks import TASKS
from models3d.texture_clips import NO_TEXTURE
from models3d.train import learning_rate_schedule


def test_training_never_draws_a_held_out_clip() -> None:
    recipe = Recipe(cycles=(50,), batch_size=8)
    seeds = [seed for step in range(50) for seed in recipe.clip_seeds(step)]
    assert len(set(seeds)) == 400 and min(seeds) >= FIRST_TRAINING_SEED
    assert min(Recipe(seed=1).clip_seeds(0)) > max(Recipe(seed=0).clip_seeds(999))
    with pytest.raises(ValueError, match="held-out"):
        evaluate(motion3d.motion3d(), FIRST_TRAINING_SEED + 1)


def test_the_first_cycle_starts_plain_and_ends_at_full_difficulty() -> None:
    recipe = Recipe(cycles=(100,), plain_until=0.1, full_from=0.6)
    levels = [recipe.difficulty(step) for step in (0, 10, 35, 60, 99)]
    assert levels == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0])


def test_a_batch_holds_every_kind_of_clip() -> None:
    recipe = Recipe(cycles=(100,), batch_size=8, plain_until=0.1, full_from=0.6)
    clips = recipe.clips(30)
    class_ids = [clip.class_id for clip in clips]
    assert class_ids[0] == NOTHING and not clips[0].mask.any()
    assert [CLASSES[i] for i in class_ids[1:3] + class_ids[5:7]] == ["grow", "shrink"] * 2
    assert not clips[4].distractor_masks.any() and clips[3].distractor_masks.any()
    # At full difficulty the classes are those of the seeds; the last event is cut off.
    full = recipe.clips(80)
    first = recipe.clip_seeds(80).start
    drawn = [draw_clip(first + i).class_id for i in range(1, 8)]
    assert [clip.class_id for clip in full[1:]] == drawn
    start, end = full[7].event
    assert 5 <= end - start < 10 and (start == 0 or end == 16)
    assert (start, end) == tuple(min(max(t, 0), 16) for t in cut_off_event(first + 7))


def test_batches_are_the_clips_of_their_step() -> None:
    recipe = Recipe(cycles=(4,), batch_size=2)
    frames, class_ids = DrawnBatches(recipe)[3]
    clips = recipe.clips(3)
    assert frames.dtype == torch.uint8 and class_ids.dtype == torch.int64
    assert class_ids.tolist() == [clip.class_id for clip in clips]
    assert (frames.numpy() == [clip.frames for clip in clips]).all()


def test_cut_off_events_show_five_frames_or_more() -> None:
    events = [cut_off_event(seed) for seed in range(200)]
    for start, end in events:
        assert 6 <= end - start <= 10 and (start < 0) != (end > 16)
        assert min(end, 16) - max(start, 0) >= 5
    assert 60 < sum(start < 0 for start, _ in events) < 140


def test_each_cycle_has_its_own_difficulty_and_learning_rate() -> None:
    recipe = Recipe(cycles=(10, 5, 5), learning_rate=1.0, later_rate=0.5)
    assert recipe.steps == 20
    assert [recipe.cycle_of(step) for step in (0, 9, 10, 14, 15)] == [
        *((0, 0), (0, 9), (1, 0), (1, 4), (2, 0))
    ]
    assert recipe.difficulty(9) == recipe.difficulty(15) == recipe.difficulty(19) == 1.0
    assert recipe.difficulty(10) == 0.4
    rates = []
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], 1.0)
    for step in (0, 1, 9, 10, 11):
        schedule = learning_rate_schedule(optimizer, recipe, step)
        rates.append(schedule.get_last_lr()[0])
    assert max(rates[:2]) == pytest.approx(1.0, rel=0.05) and rates[2] < 0.1
    assert max(rates[3:]) == pytest.approx(0.5, rel=0.15)


def test_the_texture_recipe_draws_single_frames_first() -> None:
    recipe = TextureRecipe(cycles=(40, 1, 1, 1), batch_size=8)
    early, late = recipe.clips(30), recipe.clips(42)
    assert {len(clip.frames) for clip in early} == {1} and recipe.difficulty(30) == 1.0
    assert {len(clip.frames) for clip in late} == {16}
    for clips in (early, late):
        assert clips[0].class_id == NO_TEXTURE and not clips[0].mask.any()
        assert all(clip.class_id < NO_TEXTURE for clip in clips[1:])
    assert (late[4].frames == late[4].frames[:1]).all()  # frozen
    assert not (late[1].frames == late[1].frames[:1]).all()
    assert RECIPES.keys() == TASKS.keys()
    for name, kind in RECIPES.items():
        assert kind().network == name
        assert kind().build().fc.out_features == len(TASKS[name].classes)
