"""Nothing but the event shows the class of a drawn clip: no movement elsewhere, no single frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models3d import EVENTS, DrawnClip, draw_clip
from models3d.actions import SpriteTraits, draw_event, event_motion
from models3d.scene import number_of_distractors


@pytest.fixture(scope="module")
def drawn() -> list[DrawnClip]:
    return [draw_clip(seed) for seed in range(20_000, 20_200)]


def frame_difference(frames: np.ndarray) -> np.ndarray:
    """(T, H, W): how much each pixel changes from the frame before, blurred."""
    grey = frames.astype(np.float32).mean(3)
    change = np.abs(np.diff(grey, axis=0, prepend=grey[:1]))
    return np.stack([cv2.GaussianBlur(frame, None, 3.0) for frame in change])


def test_distractors_act_as_long_as_the_actor_and_change_as_much(drawn: list[DrawnClip]) -> None:
    actor_frames, decoy_frames, actor_change, decoy_change = [], [], [], []
    for clip in drawn:
        change = frame_difference(clip.frames)
        actor_frames.append(clip.mask.any((1, 2)).sum())
        actor_change.append(change[clip.mask].mean())
        for mask in clip.distractor_masks:
            if mask.any():
                decoy_frames.append(mask.any((1, 2)).sum())
                decoy_change.append(change[mask].mean())
    assert np.mean(actor_frames) == pytest.approx(8, abs=0.3)
    assert np.mean(decoy_frames) == pytest.approx(np.mean(actor_frames), abs=0.4)
    assert np.mean(actor_change) == pytest.approx(np.mean(decoy_change), rel=0.12)


def test_frame_difference_finds_the_event_no_better_than_a_distractor(
    drawn: list[DrawnClip],
) -> None:
    actor_hits, decoy_hits, clip_hits, chance = [], [], [], []
    for clip in drawn:
        change = frame_difference(clip.frames)
        maxima = [np.unravel_index(frame.argmax(), frame.shape) for frame in change]
        for masks, hits in ((clip.mask[None], actor_hits), (clip.distractor_masks, decoy_hits)):
            for mask in masks:
                frames = [t for t in np.flatnonzero(mask.any((1, 2))) if t > 0]
                hits += [mask[t][maxima[t]] for t in frames]
        t, y, x = np.unravel_index(change.argmax(), change.shape)
        clip_hits.append(clip.mask[max(t - 1, 0) : t + 2, y, x].any())
        chance.append(1 / (1 + len(clip.distractor_masks)))
    # About 1600 and 4600 frames, but only 200 clips.
    assert np.mean(actor_hits) < np.mean(decoy_hits) + 0.06
    assert np.mean(clip_hits) < np.mean(chance) + 0.08


def test_the_actors_state_at_one_moment_does_not_show_its_class() -> None:
    """Position, radius and angle of 1000 actors of each class at a random moment."""
    states: dict[str, np.ndarray] = {}
    for action in EVENTS:
        rows = []
        for seed in range(1000):
            rng = np.random.default_rng([seed, EVENTS.index(action)])
            event = draw_event(rng, 16)
            motion = event_motion(SpriteTraits.draw(rng, 0.5), action, event, 16)
            t = int(rng.integers(16))
            rows.append([*motion.centre[t], motion.radius[t], motion.angle[t] % (2 * np.pi)])
        states[action] = np.array(rows)
    all_states = np.concatenate(list(states.values()))
    for action, rows in states.items():
        for column in range(rows.shape[1]):
            grid = np.quantile(all_states[:, column], np.linspace(0.02, 0.98, 49))
            share = np.searchsorted(np.sort(rows[:, column]), grid) / len(rows)
            expected = np.searchsorted(np.sort(all_states[:, column]), grid) / len(all_states)
            # Kolmogorov-Smirnov: 1000 against all exceed 0.065 once in 10,000 times.
            assert np.abs(share - expected).max() < 0.065, (action, column)


def test_the_number_of_visible_sprites_does_not_show_a_blink() -> None:
    shown: dict[str, list[int]] = {"blink": [], "dash left": []}
    for seed in range(8000):
        action = ("blink", "dash left")[seed % 2]
        rng = np.random.default_rng(seed)
        event, traits = draw_event(rng, 16), SpriteTraits.draw(rng, 0.5)
        distractors = number_of_distractors(rng, traits, action, event, 16)
        motion = event_motion(traits, action, event, 16)
        shown[action].append(distractors + (motion.picture[int(rng.integers(16))] >= 0))
    # The standard error of the difference is 0.015.
    assert np.mean(shown["blink"]) == pytest.approx(np.mean(shown["dash left"]), abs=0.05)
    assert set(shown["blink"]) == set(shown["dash left"]) == {3, 4, 5}


def accuracy_of_small_network(x: torch.Tensor, class_ids: torch.Tensor, held_out: int) -> float:
    """Accuracy on the last ``held_out`` samples of a small network trained on the others."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(x.shape[1], 24, 5, 2, 2),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.Conv2d(24, 48, 3, 2, 1),
        nn.BatchNorm2d(48),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(48, 6),
    )
    optimizer = torch.optim.AdamW(net.parameters(), 5e-3, weight_decay=0.05)
    train = len(x) - held_out
    for _ in range(8):
        for rows in torch.randperm(train).split(32):
            optimizer.zero_grad()
            F.cross_entropy(net(x[rows]), class_ids[rows]).backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        return float((net(x[train:]).argmax(1) == class_ids[train:]).float().mean())


def test_a_single_frame_network_stays_at_chance() -> None:
    """On the outlines of a lone actor, the easiest case: two moments are enough, one is not."""
    rng = np.random.default_rng(0)
    outlines, class_ids = [], []
    for seed in range(600):
        # The first six classes: these actors are neither hidden nor rotated.
        clip = draw_clip(seed, class_id=seed % 6, difficulty=0.0, size=32)
        start, end = clip.event
        visible = (clip.frames != clip.frames[0, 0, 0]).any(3)
        moments = [int(rng.integers(16)), start, end - 1]
        outlines.append(visible[moments].astype(np.float32))
        class_ids.append(clip.class_id)
    x, answers = torch.from_numpy(np.stack(outlines)), torch.tensor(class_ids)
    # Chance is 1/6; with 300 clips three standard errors are 0.065.
    assert accuracy_of_small_network(x[:, :1], answers, held_out=300) < 1 / 6 + 0.065
    assert accuracy_of_small_network(x[:, 1:], answers, held_out=300) > 0.6
