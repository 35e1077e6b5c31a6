"""Clips of the benchmark are held out, and the network needs their event and nothing else."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.truth import benchmark_clips as module
from benchmarks.truth.benchmark_clips import BenchmarkClips, draw_benchmark_clips
from benchmarks.truth.map_sources import untrained
from models3d import DrawnClip, draw_batch, draw_clip
from models3d.recipe import FIRST_TRAINING_SEED
from models3d.tasks import TASKS
from video_cam import Classifier, UsageError


def test_clips_are_held_out_and_classified_correctly(
    bundled: Classifier, benchmark_clips: BenchmarkClips
) -> None:
    clips = benchmark_clips
    assert len(clips) == 6 and clips.masks.shape == (6, 16, 64, 64)
    probabilities = module.class_probabilities(bundled, clips.x)
    assert probabilities.argmax(1).tolist() == clips.class_ids
    # They are among the first clips of the benchmark's own seeds, in order.
    frames, class_ids, masks = draw_batch(range(module.FIRST_SEED, module.FIRST_SEED + clips.drawn))
    indices = [
        next(i for i in range(clips.drawn) if np.array_equal(frames[i], wanted))
        for wanted in clips.frames
    ]
    assert indices == sorted(indices)
    assert class_ids[indices].tolist() == clips.class_ids
    np.testing.assert_array_equal(masks[indices], clips.masks)
    distractors = draw_clip(module.FIRST_SEED + indices[0]).distractor_masks.any(0)
    np.testing.assert_array_equal(distractors, clips.distractors[0])
    assert torch.equal(bundled.preprocess.tensor(clips.frames), clips.x)


@pytest.mark.parametrize(("clips", "seed"), [(5000, 0), (0, 0), (1, -1), (1, 90)])
def test_no_seed_leads_to_a_training_clip(bundled: Classifier, clips: int, seed: int) -> None:
    assert module.FIRST_SEED + 90 * module.SEEDS_PER_RUN == FIRST_TRAINING_SEED
    with pytest.raises(UsageError, match=f"{clips} clips with seed {seed}: .* a seed of 0 to 89"):
        draw_benchmark_clips(bundled, clips, seed)


def test_an_untrained_network_gets_no_clips(
    bundled: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_DRAWN", 1)
    monkeypatch.setattr(module, "BATCH", 4)
    with pytest.raises(UsageError, match="of 4 drawn clips the network classifies only"):
        draw_benchmark_clips(untrained(bundled), 4)


def test_each_condition_excludes_clips(bundled: Classifier) -> None:
    """Three classes; of the four clips of class 1, one fulfils all conditions."""
    wrong, correct, chance = [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.4, 0.3, 0.3]
    whole = [correct, wrong, correct, correct]
    without_event = [chance, chance, correct, chance]
    event_alone = [correct, correct, correct, wrong]
    answers = iter([whole, without_event, event_alone])
    versions: list[str] = []

    def draw(seed: int, version: str, crowded: bool) -> DrawnClip:
        versions.append(version)
        nothing = np.zeros((1, 1, 1), bool)
        return DrawnClip(np.zeros((1, 1, 1, 3), np.uint8), 0, nothing, nothing[None], (0, 1))

    task = replace(TASKS["motion3d"], draw=draw)
    model = SimpleNamespace(
        module=lambda x: torch.tensor(next(answers)).log(),
        device=torch.device("cpu"),
        preprocess=bundled.preprocess,
    )
    kept = module.needs_only_the_event(
        model, torch.zeros(4, 3, 1, 1, 1), range(4), np.ones(4, np.int64), task
    )
    assert kept.tolist() == [True, False, False, False]
    assert versions == 4 * ["without event"] + 4 * ["event alone"]


def test_batches_and_first_keep_the_order(
    benchmark_clips: BenchmarkClips, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = benchmark_clips.first(3)
    assert len(first) == 3 and first.class_ids == benchmark_clips.class_ids[:3]
    assert torch.equal(first.x, benchmark_clips.x[:3])
    np.testing.assert_array_equal(first.masks, benchmark_clips.masks[:3])
    np.testing.assert_array_equal(first.distractors, benchmark_clips.distractors[:3])
    assert len(benchmark_clips.first(99)) == 6
    monkeypatch.setattr(module, "BATCH", 4)
    (x, class_ids), (rest, rest_ids) = benchmark_clips.batches()
    assert torch.equal(torch.cat([x, rest]), benchmark_clips.x) and len(x) == 4
    assert [*class_ids, *rest_ids] == benchmark_clips.class_ids and len(class_ids) == 4
