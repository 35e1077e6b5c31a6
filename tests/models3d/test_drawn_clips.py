"""The drawn clips tell the truth about themselves, and give away nothing else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from models3d.painting import Sprite, paint
from torch import nn
from torch.nn import functional as F

from models3d import CLASSES, EVENTS, NOTHING, DrawnClip, draw_batch, draw_clip
from models3d.actions import GLIDE_SPEED, WORLD, Character, draw_event, event_motion
from models3d.drawn_clips import number_of_distractors


def centroids(clip: DrawnClip) -> np.ndarray:
    """(event frames, 2) mean x, y of the mask in pixels, on a canvas whose rims touch."""
    places = [np.argwhere(mask)[:, ::-1] for mask in clip.mask[slice(*clip.event)]]
    around = [np.exp(2j * np.pi * place / clip.mask.shape[1]).mean(axis=0) for place in places]
    return np.angle(around) / (2 * np.pi) * clip.mask.shape[1]


def lone_actor(action: str, seed: int = 3) -> DrawnClip:
    return draw_clip(seed, class_id=EVENTS.index(action), difficulty=0.0)


# What is drawn


def test_same_seed_same_bytes() -> None:
    once, again, other = draw_clip(5), draw_clip(5), draw_clip(6)
    assert once.frames.tobytes() == again.frames.tobytes()
    assert once.mask.tobytes() == again.mask.tobytes()
    assert once.frames.tobytes() != other.frames.tobytes()


def test_batch_is_its_clips() -> None:
    frames, class_ids, masks = draw_batch([8, 9], difficulty=0.5)
    second = draw_clip(9, difficulty=0.5)
    assert frames.shape == (2, 16, 64, 64, 3) and frames.dtype == np.uint8
    assert class_ids[1] == second.class_id
    np.testing.assert_array_equal(frames[1], second.frames)
    np.testing.assert_array_equal(masks[1], second.mask)


def test_events_are_balanced() -> None:
    class_ids = [draw_clip(seed, num_frames=2, size=16).class_id for seed in range(400)]
    counts = np.bincount(class_ids, minlength=len(CLASSES))
    assert counts[:NOTHING].min() > 30 and counts.max() < 70 and counts[NOTHING] == 0


@pytest.mark.parametrize("num_frames", [16, 48])
@pytest.mark.parametrize("class_id", range(len(EVENTS)), ids=EVENTS)
def test_mask_is_there_exactly_during_the_event(class_id: int, num_frames: int) -> None:
    for seed in range(4):
        clip = draw_clip(seed, class_id=class_id, num_frames=num_frames)
        start, end = clip.event
        assert 6 <= end - start <= 10 and start >= 0 and end <= num_frames
        shown = clip.mask.sum(axis=(1, 2))
        assert (shown[start:end] > 50).all()
        assert shown[:start].sum() == 0 and shown[end:].sum() == 0


@pytest.mark.parametrize("class_id", range(len(EVENTS)), ids=EVENTS)
def test_mask_lies_on_the_actor(class_id: int) -> None:
    clip = draw_clip(4, class_id=class_id, difficulty=0.0, event=(3, 11))
    background = np.median(clip.frames[0].reshape(-1, 3), axis=0)
    for t in range(3, 11):
        painted = (np.abs(clip.frames[t] - background) > 0).any(axis=2)
        if EVENTS[class_id] == "blink" and not painted.any():
            np.testing.assert_array_equal(clip.mask[t], clip.mask[3])
            continue
        assert painted[clip.mask[t]].mean() > 0.97
        # The rim's outer half is painted but is not yet the actor.
        assert clip.mask[t].sum() > 0.8 * painted.sum()


def test_mask_leaves_out_what_hides_the_actor() -> None:
    lone = [draw_clip(s, class_id=6, difficulty=0.0).mask.sum() for s in range(40)]
    crowded = [draw_clip(s, class_id=6).mask.sum() for s in range(40)]
    assert 0.8 * sum(lone) < sum(crowded) < sum(lone)


@pytest.mark.parametrize(
    ("action", "direction"),
    [
        ("dash left", (-1, 0)),
        ("dash right", (1, 0)),
        ("dash up", (0, -1)),
        ("dash down", (0, 1)),
        ("grow", (0, 0)),
        ("shrink", (0, 0)),
        ("spin", (0, 0)),
        ("blink", (0, 0)),
    ],
)
def test_only_a_dash_travels(action: str, direction: tuple[int, int]) -> None:
    for seed in range(5):
        steps = np.diff(centroids(lone_actor(action, seed)), axis=0)
        steps = (steps + WORLD / 2) % WORLD - WORLD / 2  # the short way round
        travelled = steps.sum(axis=0)
        assert (np.sign(travelled) * (np.abs(travelled) > 10)).tolist() == list(direction)
        assert np.abs(travelled[np.array(direction) == 0]).max() < 1.5


def test_growing_and_shrinking_mirror_each_other() -> None:
    grow, shrink = lone_actor("grow"), lone_actor("shrink")
    growth, shrinkage = (
        clip.mask[clip.event[1] - 1].sum() / clip.mask[clip.event[0]].sum()
        for clip in (grow, shrink)
    )
    assert 1.4 < growth < 2.8
    assert 1.4 < 1 / shrinkage < 2.8


def test_blinking_shows_the_bare_background() -> None:
    clip = lone_actor("blink")
    gone = clip.frames.reshape(16, -1, 3).std(axis=1).max(axis=1) == 0
    start, end = clip.event
    assert gone[start] and not gone[:start].any() and not gone[end:].any()
    assert (~gone[start:end]).any()  # it comes back in between


def test_spinning_turns_the_picture_in_place() -> None:
    clip = lone_actor("spin")
    start, end = clip.event
    change = np.abs(np.diff(clip.frames.astype(int), axis=0)).mean(axis=(1, 2, 3))  # t -> t + 1
    assert (change[max(start - 1, 0) : end - 1] > 0.3).all()
    assert change[end - 1 :].sum() == 0 and change[: max(start - 1, 0)].sum() == 0


@pytest.mark.parametrize("seed", range(4))
def test_sizes_draw_the_same_scene(seed: int) -> None:
    small, large = draw_clip(seed), draw_clip(seed, size=256)
    shrunk = np.stack(
        [cv2.resize(frame, (64, 64), interpolation=cv2.INTER_AREA) for frame in large.frames]
    )
    assert (small.class_id, small.event) == (large.class_id, large.event)
    assert np.abs(small.frames.astype(int) - shrunk).mean() < 1.0
    assert abs(large.mask.sum() / 16 / small.mask.sum() - 1) < 0.02


def test_an_event_may_hang_over_but_not_miss_the_clip() -> None:
    whole = draw_clip(0, class_id=4, event=(0, 8), difficulty=0.0)
    late = draw_clip(0, class_id=4, event=(-3, 5), difficulty=0.0)
    assert late.event == (0, 5)
    # The same life, three frames on.
    np.testing.assert_array_equal(late.frames[:13], whole.frames[3:])
    np.testing.assert_array_equal(late.mask[:5], whole.mask[3:8])
    for event in ((16, 20), (-6, 0), (5, 5)):
        with pytest.raises(ValueError, match=r"event=\(.*16 frames"):
            draw_clip(0, event=event)


# Drawn again


def footprint(seed: int, action: str, event: tuple[int, int], acts: bool) -> np.ndarray:
    """(T, 64, 64) bool: the square around the actor of a 64-pixel clip, whether it acts or not."""
    who = Character.draw(np.random.default_rng([seed, 1]), GLIDE_SPEED)
    square = np.ones((32, 32, 4), np.float32)
    sprite = Sprite((square,), event_motion(who, action, event, 16, acts))
    canvas = np.zeros((64, 64, 3), np.float32)
    return np.stack([paint(canvas, [sprite], t)[0] > 0 for t in range(16)])


@pytest.mark.parametrize("class_id", range(len(EVENTS)), ids=EVENTS)
def test_without_the_event_nothing_else_changes(class_id: int) -> None:
    for seed in range(3):
        clip = draw_clip(seed, class_id=class_id)
        without = draw_clip(seed, class_id=class_id, version="without event")
        assert without.class_id == NOTHING and not without.mask.any()
        np.testing.assert_array_equal(without.others.any((1, 2, 3)), clip.others.any((1, 2, 3)))
        changed = (clip.frames != without.frames).any(3)
        may_change = footprint(seed, EVENTS[class_id], clip.event, acts=True)
        may_change |= footprint(seed, EVENTS[class_id], clip.event, acts=False)
        assert not changed[~may_change].any()
        assert not changed[: clip.event[0]].any() and changed[slice(*clip.event)].any()


def test_event_alone_keeps_the_event_and_stills_the_rest() -> None:
    for seed in range(6):
        clip, alone = draw_clip(seed), draw_clip(seed, version="event alone")
        assert (alone.class_id, alone.event) == (clip.class_id, clip.event)
        assert not alone.others.any()
        # Who hides whom may differ; what shows of the actor shows the same picture.
        both = clip.mask & alone.mask
        assert both.sum() > 0.6 * clip.mask.sum()
        off = np.abs(clip.frames[both].astype(int) - alone.frames[both])
        assert np.median(off) == 0


def test_wrong_versions_are_refused() -> None:
    with pytest.raises(ValueError, match="'half' must be one of"):
        draw_clip(0, version="half")


# What gives the event away, and what does not


@pytest.fixture(scope="module")
def drawn() -> list[DrawnClip]:
    return [draw_clip(seed) for seed in range(20_000, 20_200)]


def frame_difference(frames: np.ndarray) -> np.ndarray:
    """(T, H, W): how much each pixel changes from the frame before, blurred."""
    grey = frames.astype(np.float32).mean(3)
    change = np.abs(np.diff(grey, axis=0, prepend=grey[:1]))
    return np.stack([cv2.GaussianBlur(frame, None, 3.0) for frame in change])


def test_distractors_act_as_long_as_the_actor_and_change_as_much(drawn: list[DrawnClip]) -> None:
    lengths, others, change, change_others = [], [], [], []
    for clip in drawn:
        moved = frame_difference(clip.frames)
        lengths.append(clip.mask.any((1, 2)).sum())
        change.append(moved[clip.mask].mean())
        for other in clip.others:
            if other.any():
                others.append(other.any((1, 2)).sum())
                change_others.append(moved[other].mean())
    assert np.mean(lengths) == pytest.approx(8, abs=0.3)
    assert np.mean(others) == pytest.approx(np.mean(lengths), abs=0.4)
    assert np.mean(change) == pytest.approx(np.mean(change_others), rel=0.12)


def test_frame_difference_points_at_the_event_no_better_than_at_a_distractor(
    drawn: list[DrawnClip],
) -> None:
    event, distractor, hottest, chance = [], [], [], []
    for clip in drawn:
        moved = frame_difference(clip.frames)
        peak = [np.unravel_index(frame.argmax(), frame.shape) for frame in moved]
        for target, hits in ((clip.mask[None], event), (clip.others, distractor)):
            for mask in target:
                frames = [t for t in np.flatnonzero(mask.any((1, 2))) if t > 0]
                hits += [mask[t][peak[t]] for t in frames]
        t, y, x = np.unravel_index(moved.argmax(), moved.shape)
        hottest.append(clip.mask[max(t - 1, 0) : t + 2, y, x].any())
        chance.append(1 / (1 + len(clip.others)))
    # About 1600 and 4600 frames, but only 200 clips.
    assert np.mean(event) < np.mean(distractor) + 0.06
    assert np.mean(hottest) < np.mean(chance) + 0.08


def test_one_moment_of_the_actor_does_not_tell_its_class() -> None:
    """Place, size, turn and being there, of 2000 actors each class: what a frame can show."""
    states: dict[str, np.ndarray] = {}
    for action in EVENTS:
        rows = []
        for seed in range(2000):
            rng = np.random.default_rng([seed, EVENTS.index(action)])
            event = draw_event(rng, 16)
            life = event_motion(Character.draw(rng, 0.5), action, event, 16)
            t = int(rng.integers(16))
            rows.append([*life.centre[t], life.radius[t], life.angle[t] % (2 * np.pi)])
        states[action] = np.array(rows)
    everybody = np.concatenate(list(states.values()))
    for action, rows in states.items():
        for column in range(rows.shape[1]):
            grid = np.quantile(everybody[:, column], np.linspace(0.02, 0.98, 49))
            here = np.searchsorted(np.sort(rows[:, column]), grid) / len(rows)
            all_ = np.searchsorted(np.sort(everybody[:, column]), grid) / len(everybody)
            # Kolmogorov and Smirnov: 2000 against all is above 0.045 once in 10,000 times.
            assert np.abs(here - all_).max() < 0.045, (action, column)


def test_the_number_of_sprites_in_a_frame_does_not_tell_a_blink() -> None:
    shown: dict[str, list[int]] = {"blink": [], "dash left": []}
    for seed in range(8000):
        action = ("blink", "dash left")[seed % 2]
        rng = np.random.default_rng(seed)
        event, who = draw_event(rng, 16), Character.draw(rng, 0.5)
        others = number_of_distractors(rng, who, action, event, 16)
        life = event_motion(who, action, event, 16)
        shown[action].append(others + (life.picture[int(rng.integers(16))] >= 0))
    # One standard error of the difference is 0.015.
    assert np.mean(shown["blink"]) == pytest.approx(np.mean(shown["dash left"]), abs=0.05)
    assert set(shown["blink"]) == set(shown["dash left"]) == {3, 4, 5}


def learned(x: torch.Tensor, class_ids: torch.Tensor, held_out: int) -> float:
    """Accuracy on the last ``held_out`` of a small network trained on the others."""
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
    """Outlines of a lone sprite: nothing is easier. Two moments of it are enough, one is not."""
    rng = np.random.default_rng(0)
    outlines, class_ids = [], []
    for seed in range(1000):
        clip = draw_clip(seed, class_id=seed % 6, difficulty=0.0, size=32)  # neither turns nor goes
        start, end = clip.event
        shown = (clip.frames != clip.frames[0, 0, 0]).any(3)
        moments = [int(rng.integers(16)), start, end - 1]
        outlines.append(shown[moments].astype(np.float32))
        class_ids.append(clip.class_id)
    x, answers = torch.from_numpy(np.stack(outlines)), torch.tensor(class_ids)
    # Chance is 1/6; of 400 clips three standard errors are 0.056.
    assert learned(x[:, :1], answers, held_out=400) < 1 / 6 + 0.056
    assert learned(x[:, 1:], answers, held_out=400) > 0.6
