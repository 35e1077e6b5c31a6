"""Training can be resumed and repeated exactly; its command writes weights when all is done."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from models3d import motion3d, train
from models3d.checkpoints import state_file
from models3d.recipe import Recipe, fast_precision

# Where a processor does not compute in bf16, emulating it takes a hundred times as long.
FAST = fast_precision(torch.device("cpu"))


def test_augmentation_varies_each_clip_and_fades_in() -> None:
    x = torch.rand(3, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0))

    def augmented(strength: float, seed: int = 0) -> torch.Tensor:
        return train.augment(x, strength, torch.Generator().manual_seed(seed))

    assert torch.equal(augmented(0.0), x)
    full = augmented(1.0)
    assert torch.equal(full, augmented(1.0)) and not torch.allclose(full, augmented(1.0, seed=1))
    # Brightness and tint differ from clip to clip and from channel to channel.
    shifts = (full - x).mean((2, 3, 4))
    assert shifts.std(0).min() > 0.01 and shifts.std(1).min() > 0.01
    torch.testing.assert_close(augmented(0.5), (x + full) / 2)


@pytest.mark.parametrize(  # resumed within a cycle, at its start, within the second
    ("precision", "cycles"), [("fp32", (2,)), (FAST, (1, 1)), (FAST, (1, 2))]
)
def test_resumed_training_gives_exactly_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, cycles: tuple[int, ...]
) -> None:
    recipe = Recipe(cycles=cycles, batch_size=2, precision=precision)
    cpu = torch.device("cpu")
    kept, save_state = tmp_path / "second.resume.pt", train.save_state

    def save_and_keep(path: Path, *rest: Any) -> None:
        save_state(path, *rest)
        if rest[-1] == recipe.steps - 1:
            shutil.copy(path, kept)

    monkeypatch.setattr(train, "CHECKPOINT_EVERY", 1)
    monkeypatch.setattr(train, "save_state", save_and_keep)
    whole, losses = train.train(recipe, tmp_path / "first.safetensors", cpu)
    rest, late_losses = train.train(
        recipe, tmp_path / "second.safetensors", cpu, resume=True, workers=2
    )

    assert len(losses) == recipe.steps and late_losses == losses[-1:]
    for name, value in whole.state_dict().items():
        assert torch.equal(rest.state_dict()[name], value), name
    # Weights are written after the evaluation, not by the training.
    assert not list(tmp_path.glob("*.safetensors"))
    again, none = train.train(recipe, tmp_path / "first.safetensors", cpu, resume=True)
    assert not none
    assert all(torch.equal(again.state_dict()[n], v) for n, v in whole.state_dict().items())


def test_training_changes_the_weights_and_depends_on_the_seed(tmp_path: Path) -> None:
    nets = []
    for seed in (0, 1):
        recipe = Recipe(seed=seed, cycles=(1,), batch_size=2)
        torch.manual_seed(seed)
        before = motion3d.motion3d().fc.weight
        net, [loss] = train.train(recipe, tmp_path / f"{seed}.safetensors", torch.device("cpu"))
        assert loss > 0 and not torch.equal(net.fc.weight, before) and not net.training
        assert (net.fc.weight - before).abs().max() < 0.1
        nets.append(net)
    assert not torch.equal(nets[0].fc.weight, nets[1].fc.weight)


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
    assert not output.exists() and state_file(output).exists()
    monkeypatch.setattr(train, "evaluate", evaluate)
    assert train.main([*words, "--resume"]) == 0
    assert "accuracy all" in capsys.readouterr().out
    assert [path.name for path in output.parent.iterdir()] == ["w.safetensors"]
    assert not motion3d.load_trained(output).training


def test_training_stops_where_the_loss_is_no_longer_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train, "CHECKPOINT_EVERY", 1)
    monkeypatch.setattr(train, "augment", lambda x, strength, generator: x * torch.nan)
    output = tmp_path / "w.safetensors"
    words = ["--cycles", "2", "--batch-size", "2", "--precision", "fp32", "--output", str(output)]
    assert train.main(words) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == "error: the loss of step 0 is nan: train again with --precision fp32"
    assert not list(tmp_path.iterdir())  # no state to resume from, no weights


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cycles", "0"], "cycles (0,) must be 1 step or more"),
        (["--batch-size", "0"], "batch_size 0 must be 1 or more"),
        (["--threads", "-1"], "threads -1 must be 1 or more"),
        (["--seed", "-1"], "seed -1 must be 0 to 2147483647"),
        (["--held-out", "0"], "0 held-out clips: expected 1 to 1000000"),
        (["--output", "."], "is a folder"),
        (["--resume", "--output", "none.safetensors"], "nothing to resume"),
    ],
)
def test_wrong_words_end_in_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert train.main(["--output", "w.safetensors", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_unknown_device_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        train.main(["--device", "abacus"])
    assert stopped.value.code == 2
    assert "device 'abacus' is not available" in capsys.readouterr().err
