"""The bundled network reads the drawn clips, and can be trained again."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open

from clips import make_clips
from models3d import CLASSES, NOTHING, draw_batch, draw_clip, load_trained, motion3d, train
from models3d.train import Recipe

# The network


def test_network_layout() -> None:
    net = motion3d.motion3d().eval()
    shapes = {}
    for name in ("stem", "layer1", "layer2", "layer3", "layer4"):
        module = net.get_submodule(name)
        module.register_forward_hook(
            lambda _m, _i, output, name=name: shapes.update({name: tuple(output.shape[1:])})
        )
    assert net(torch.zeros(2, 3, 16, 64, 64)).shape == (2, 9)
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


def stated() -> dict[str, str]:
    """What the weights' file says about itself."""
    with safe_open(motion3d.WEIGHTS_FILE, "pt") as file:
        return file.metadata()


def test_trained_network_reads_held_out_clips_as_well_as_it_says() -> None:
    accuracy = train.evaluate(load_trained(), num_clips=160)
    # Of 160 clips at 0.97 two standard errors are 0.03, of about 20 clips a class more.
    assert accuracy["all"] == pytest.approx(float(stated()["accuracy all"]), abs=0.04)
    assert accuracy["all"] >= 0.94
    for name in CLASSES:
        assert accuracy[name] == pytest.approx(float(stated()[f"accuracy {name}"]), abs=0.2)


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


def test_trained_network_needs_the_event_and_nothing_else() -> None:
    net, seeds = load_trained(), range(500, 560)
    without, class_ids, _ = draw_batch(seeds, version="without event")
    assert (class_ids == NOTHING).all()
    assert (train.predict(net, without) == NOTHING).mean() > 0.85
    alone, class_ids, _ = draw_batch(seeds, version="event alone")
    assert (train.predict(net, alone) == class_ids).mean() > 0.85


def test_weights_file_is_small_and_says_how_it_was_made() -> None:
    assert motion3d.WEIGHTS_FILE.stat().st_size < 8e6
    assert int(stated()["seed"]) == Recipe.seed and int(stated()["held-out clips"]) >= 800


# The training


def test_training_never_draws_a_held_out_clip() -> None:
    recipe = Recipe(cycles=(50,), batch_size=8)
    seeds = [seed for step in range(50) for seed in recipe.clip_seeds(step)]
    assert len(set(seeds)) == 400 and min(seeds) >= train.FIRST_TRAINING_SEED
    assert min(Recipe(seed=1).clip_seeds(0)) > max(Recipe(seed=0).clip_seeds(999))
    with pytest.raises(ValueError, match="held out"):
        train.evaluate(motion3d.motion3d(), train.FIRST_TRAINING_SEED + 1)


def test_curriculum_starts_plain_and_ends_full() -> None:
    recipe = Recipe(cycles=(100,), plain_until=0.1, full_from=0.6)
    levels = [recipe.difficulty(step) for step in (0, 10, 35, 60, 99)]
    assert levels == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0])


def test_a_batch_holds_every_kind_of_clip() -> None:
    recipe = Recipe(cycles=(100,), batch_size=8, plain_until=0.1, full_from=0.6)
    clips = recipe.clips(30)
    first = recipe.clip_seeds(30).start
    class_ids = [clip.class_id for clip in clips]
    assert class_ids[0] == NOTHING and not clips[0].mask.any()
    assert [CLASSES[i] for i in class_ids[1:3] + class_ids[5:7]] == ["grow", "shrink"] * 2
    assert not clips[4].others.any()
    # At full difficulty classes are left to the seeds; the last event hangs over the clip.
    full = recipe.clips(80)
    first = recipe.clip_seeds(80).start
    drawn = [draw_clip(first + i).class_id for i in range(1, 8)]
    assert [clip.class_id for clip in full[1:]] == drawn
    start, end = full[7].event
    assert 5 <= end - start < 10 and (start == 0 or end == 16)


def test_overhanging_events_are_shown_for_five_frames_or_more() -> None:
    for seed in range(200):
        start, end = train.overhanging_event(seed)
        assert 6 <= end - start <= 10 and (start < 0) != (end > 16)
        assert min(end, 16) - max(start, 0) >= 5


def test_each_cycle_has_its_own_learning_rate() -> None:
    recipe = Recipe(cycles=(10, 5, 5), learning_rate=1.0, later_rate=0.5)
    assert recipe.steps == 20
    assert [recipe.place(step) for step in (0, 9, 10, 14, 15)] == [
        *((0, 0), (0, 9), (1, 0), (1, 4), (2, 0))
    ]
    assert recipe.difficulty(9) == recipe.difficulty(15) == recipe.difficulty(19) == 1.0
    assert recipe.difficulty(10) == 0.4
    rates = []
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], 1.0)
    for step in (0, 1, 9, 10, 11):
        schedule = train._schedule(optimizer, recipe, step)
        rates.append(schedule.get_last_lr()[0])
    assert max(rates[:2]) == pytest.approx(1.0, rel=0.05) and rates[2] < 0.1
    assert max(rates[3:]) == pytest.approx(0.5, rel=0.15)


# Where a processor does not compute in bf16, imitating it takes a hundred times as long.
FAST = train.fast_precision(torch.device("cpu"))


@pytest.mark.parametrize(  # resumed within a cycle, at its start, within the second
    ("precision", "cycles"), [("fp32", (2,)), (FAST, (1, 1)), (FAST, (1, 2))]
)
def test_resumed_training_ends_in_the_very_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, cycles: tuple[int, ...]
) -> None:
    recipe = Recipe(cycles=cycles, batch_size=2, precision=precision)
    cpu = torch.device("cpu")
    kept, save_state = tmp_path / "second.resume.pt", train._save_state

    def save_and_keep(path: Path, *rest: object) -> None:
        save_state(path, *rest)  # type: ignore[arg-type]
        if rest[-1] == recipe.steps - 1:
            shutil.copy(path, kept)

    monkeypatch.setattr(train, "CHECKPOINT_EVERY", 1)
    monkeypatch.setattr(train, "_save_state", save_and_keep)
    whole, losses = train.train(recipe, tmp_path / "first.safetensors", cpu)
    with pytest.raises(ValueError, match="another recipe"):
        train.train(Recipe(cycles=(3,)), tmp_path / "second.safetensors", cpu, resume=True)
    rest, late_losses = train.train(
        recipe, tmp_path / "second.safetensors", cpu, resume=True, workers=2
    )

    assert len(losses) == recipe.steps and late_losses == losses[-1:]
    for name, value in whole.state_dict().items():
        assert torch.equal(rest.state_dict()[name], value), name
    # Weights are there when they have been evaluated, not before.
    assert not list(tmp_path.glob("*.safetensors"))
    again, none = train.train(recipe, tmp_path / "first.safetensors", cpu, resume=True)
    assert not none
    assert all(torch.equal(again.state_dict()[n], v) for n, v in whole.state_dict().items())


def test_the_command_writes_weights_when_all_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new" / "w.safetensors"
    words = ["--cycles", "1", "--batch-size", "2", "--held-out", "2", "--output", str(output)]
    words += ["--precision", "fp32", "--workers", "1"]
    evaluate = train.evaluate

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "evaluate", interrupted)
    assert train.main(words) == 130 and "--resume" in capsys.readouterr().err
    assert not output.exists() and train.state_file(output).exists()
    monkeypatch.setattr(train, "evaluate", evaluate)
    assert train.main([*words, "--resume"]) == 0
    assert "accuracy all" in capsys.readouterr().out
    assert [path.name for path in output.parent.iterdir()] == ["w.safetensors"]
    assert not motion3d.load_trained(output).training


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cycles", "0"], "cycles (0,) must be 1 step or more"),
        (["--batch-size", "0"], "batch_size 0 must be 1 or more"),
        (["--threads", "-1"], "threads -1 must be 1 or more"),
        (["--seed", "-1"], "seed -1 must lie in 0"),
        (["--held-out", "0"], "0 clips: give 1 to 1000000"),
        (["--output", "."], "is a folder"),
        (["--resume", "--output", "none.safetensors"], "nothing to resume"),
    ],
)
def test_wrong_words_of_the_training(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert train.main(["--output", "w.safetensors", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_resuming_without_a_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing to resume"):
        train.train(
            Recipe(cycles=(1,)), tmp_path / "w.safetensors", torch.device("cpu"), resume=True
        )


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
