"""The drawn clips tell the truth about themselves, and the bundled network reads them."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from clips import make_clips
from models3d import CLASSES, DrawnClip, draw_batch, draw_clip, load_trained, motion3d, train
from models3d.train import Recipe


def centroids(clip: DrawnClip) -> np.ndarray:
    """(event frames, 2) mean x, y of the mask in pixels."""
    masks = clip.mask[slice(*clip.event)]
    return np.array([np.argwhere(mask)[:, ::-1].mean(axis=0) for mask in masks])


def lone_actor(action: str, seed: int = 3) -> DrawnClip:
    return draw_clip(seed, class_id=CLASSES.index(action), difficulty=0.0)


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


def test_classes_are_balanced() -> None:
    class_ids = [draw_clip(seed, num_frames=2, size=16).class_id for seed in range(400)]
    counts = np.bincount(class_ids, minlength=len(CLASSES))
    assert counts.min() > 30 and counts.max() < 70


@pytest.mark.parametrize("num_frames", [16, 48])
@pytest.mark.parametrize("class_id", range(len(CLASSES)), ids=CLASSES)
def test_mask_is_there_exactly_during_the_event(class_id: int, num_frames: int) -> None:
    for seed in range(6):
        clip = draw_clip(seed, class_id=class_id, num_frames=num_frames)
        start, end = clip.event
        assert 6 <= end - start <= 10 and start >= 0 and end <= num_frames
        shown = clip.mask.sum(axis=(1, 2))
        assert (shown[start:end] > 50).all()
        assert shown[:start].sum() == 0 and shown[end:].sum() == 0


@pytest.mark.parametrize("class_id", range(len(CLASSES)), ids=CLASSES)
def test_mask_lies_on_the_actor(class_id: int) -> None:
    clip = draw_clip(4, class_id=class_id, difficulty=0.0, event=(3, 11))
    background = clip.frames[0, 0, 0].astype(int)
    for t in range(3, 11):
        painted = (np.abs(clip.frames[t] - background) > 0).any(axis=2)
        if CLASSES[class_id] == "blink" and not painted.any():
            np.testing.assert_array_equal(clip.mask[t], clip.mask[3])
            continue
        assert painted[clip.mask[t]].mean() > 0.97
        # The rim's outer half is painted but is not yet the actor.
        assert clip.mask[t].sum() > 0.8 * painted.sum()


def test_mask_leaves_out_what_hides_the_actor() -> None:
    lone = [draw_clip(s, class_id=6, difficulty=0.0).mask.sum() for s in range(40)]
    crowded = [draw_clip(s, class_id=6).mask.sum() for s in range(40)]
    assert 0.85 * sum(lone) < sum(crowded) < sum(lone)


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
        places = centroids(lone_actor(action, seed))
        travelled = places[-1] - places[0]
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


def test_an_event_outside_the_clip_is_refused() -> None:
    with pytest.raises(ValueError, match=r"event=\(10, 20\).*16 frames"):
        draw_clip(0, event=(10, 20))


# The network


def test_network_layout() -> None:
    net = motion3d.motion3d().eval()
    shapes = {}
    for name in ("stem", "layer1", "layer2", "layer3", "layer4"):
        module = net.get_submodule(name)
        module.register_forward_hook(
            lambda _m, _i, output, name=name: shapes.update({name: tuple(output.shape[1:])})
        )
    assert net(torch.zeros(2, 3, 16, 64, 64)).shape == (2, 8)
    assert shapes == {
        "stem": (16, 16, 32, 32),
        "layer1": (32, 16, 16, 16),
        "layer2": (64, 16, 16, 16),
        "layer3": (128, 8, 8, 8),
        "layer4": (128, 4, 4, 4),
    }
    assert 1.0e6 < sum(p.numel() for p in net.parameters()) < 2.5e6


def test_fresh_stem_has_filters_that_see_only_motion() -> None:
    torch.manual_seed(0)
    still = torch.rand(1, 3, 1, 64, 64).expand(-1, -1, 16, -1, -1)
    response = motion3d.motion3d().stem[0](still)[:, :, 1:-1]  # the rim sees the padding move
    assert response[:, :12].abs().max() < 1e-5 < response[:, 12:].abs().max()


def test_trained_network_reads_held_out_clips() -> None:
    accuracy = train.evaluate(load_trained(), num_clips=160)
    assert accuracy["all"] >= 0.90
    assert min(accuracy.values()) >= 0.60  # of about 20 clips a class


def test_trained_network_reads_motion_not_pictures() -> None:
    opposites = (1, 0, 3, 2, 5, 4)  # left and right, up and down, grow and shrink
    forwards = np.stack(
        [draw_clip(400 + 6 * i + c, class_id=c).frames for i in range(6) for c in range(6)]
    )
    net = load_trained()
    backwards = train.predict(net, forwards[:, ::-1].copy())
    assert (backwards.reshape(6, 6) == opposites).mean() > 0.85
    still = train.predict(net, np.repeat(forwards[:, 8:9], 16, axis=1))
    assert (still.reshape(6, 6) == range(6)).mean() < 0.35


def test_weights_file_is_small_and_says_how_it_was_made() -> None:
    from safetensors import safe_open

    assert motion3d.WEIGHTS_FILE.stat().st_size < 8e6
    with safe_open(motion3d.WEIGHTS_FILE, "pt") as file:
        metadata = file.metadata()
    assert int(metadata["steps"]) == Recipe.steps
    assert float(metadata["accuracy all"]) >= 0.90


# The training


def test_training_never_draws_a_held_out_clip() -> None:
    recipe = Recipe(steps=50, batch_size=8)
    seeds = [seed for step in range(50) for seed in recipe.clip_seeds(step)]
    assert len(set(seeds)) == 400 and min(seeds) >= train.FIRST_TRAINING_SEED
    assert min(Recipe(seed=1).clip_seeds(0)) > max(Recipe(seed=0).clip_seeds(999))
    with pytest.raises(ValueError, match="held out"):
        train.evaluate(motion3d.motion3d(), train.FIRST_TRAINING_SEED + 1)


def test_curriculum_starts_plain_and_ends_full() -> None:
    recipe = Recipe(steps=100, plain_until=0.1, full_from=0.6)
    levels = [recipe.difficulty(step) for step in (0, 10, 35, 60, 99)]
    assert levels == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0])


def test_training_dwells_on_the_slow_classes_only_while_clips_get_harder() -> None:
    recipe = Recipe(steps=100, batch_size=6, plain_until=0.1, full_from=0.6)
    assert recipe.class_ids(59) == [4, 5, None, None, 4, 5]  # grow, shrink
    assert recipe.class_ids(60) == [None] * 6


def test_resumed_training_ends_in_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, cpu = Recipe(steps=2, batch_size=2), torch.device("cpu")
    kept, save_state = tmp_path / "second.resume.pt", train._save_state

    def save_and_keep(path: Path, *rest: object) -> None:
        save_state(path, *rest)  # type: ignore[arg-type]
        shutil.copy(path, kept)

    monkeypatch.setattr(train, "CHECKPOINT_EVERY", 1)
    monkeypatch.setattr(train, "_save_state", save_and_keep)
    whole, losses = train.train(recipe, tmp_path / "first.safetensors", cpu)
    with pytest.raises(ValueError, match="another recipe"):
        train.train(Recipe(steps=3), tmp_path / "second.safetensors", cpu, resume=True)
    rest, late_losses = train.train(recipe, tmp_path / "second.safetensors", cpu, resume=True)

    assert len(losses) == 2 and late_losses == pytest.approx(losses[1:], rel=1e-4)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(rest.state_dict()[name], value, rtol=1e-3, atol=1e-5)
    # The first run has the weights of its only checkpoint, and tidied up behind itself.
    assert {path.name for path in tmp_path.iterdir()} == {"first.safetensors"}


def test_resuming_without_a_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing to resume"):
        train.train(Recipe(steps=1), tmp_path / "w.safetensors", torch.device("cpu"), resume=True)


# The sample clips


def read_video(path: Path) -> tuple[np.ndarray, float]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return np.stack(frames), float(stream.average_rate or 0)


@pytest.mark.parametrize("name", make_clips.SAMPLES)
def test_sample_shows_its_drawing_and_the_network_names_it(name: str) -> None:
    path = Path(make_clips.__file__).with_name(f"{name}.mp4")
    frames, rate = read_video(path)
    truth = make_clips.draw_sample(name)
    assert frames.shape == (32, 256, 256, 3) and rate == 16 and path.stat().st_size < 300_000
    assert np.abs(frames.astype(int) - truth.frames).mean() < 6  # what compression costs

    small = np.stack([cv2.resize(f, (64, 64), interpolation=cv2.INTER_AREA) for f in frames])
    first, last = max(truth.event[1] - 16, 0), min(truth.event[0], 32 - 16)
    windows = np.stack([small[start : start + 16] for start in range(first, last + 1)])
    predictions = train.predict(load_trained(), windows)
    assert predictions.tolist() == [truth.class_id] * len(windows)
