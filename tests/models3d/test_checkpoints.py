"""A run's files are whole or absent, and belong to one recipe."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from models3d import checkpoints
from models3d.recipe import Recipe


def test_a_state_comes_back_with_its_step(tmp_path: Path) -> None:
    path = checkpoints.state_file(tmp_path / "w.safetensors")
    assert path == tmp_path / "w.resume.pt"
    saved, loaded = nn.Linear(2, 3), nn.Linear(2, 3)
    checkpoints.save_state(path, {"net": saved}, Recipe(), 7)
    assert checkpoints.restore_state(path, {"net": loaded}, Recipe()) == 7
    assert torch.equal(saved.weight, loaded.weight)
    with pytest.raises(ValueError, match="another recipe"):
        checkpoints.restore_state(path, {"net": loaded}, Recipe(seed=1))
    with pytest.raises(FileNotFoundError, match="nothing to resume"):
        checkpoints.restore_state(tmp_path / "none.pt", {"net": loaded}, Recipe())


def test_weights_come_with_their_metadata(tmp_path: Path) -> None:
    net = nn.Conv3d(1, 4, 3).to(memory_format=torch.channels_last_3d)
    checkpoints.save_weights(net, tmp_path / "w.safetensors", {"seed": "3"})
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        assert file.metadata() == {"seed": "3"}
        assert torch.equal(file.get_tensor("weight"), net.weight)


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.resume.pt"
    path.write_bytes(b"old")

    def half(state: object, target: Path) -> None:
        target.write_bytes(b"hal")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints.torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        checkpoints.save_state(path, {}, Recipe(), 1)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
