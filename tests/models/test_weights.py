"""State dicts from files and checkpoints of every kind, downloads, and what does not fit."""

from __future__ import annotations

import pickle
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from video_cam import UsageError
from video_cam.models import weights as weights_module
from video_cam.models.weights import (
    WeightsUnavailable,
    download,
    load_state_dict,
    read_state_dict,
    why_no_download,
)


@pytest.fixture
def state() -> dict[str, Tensor]:
    return {"conv.weight": torch.randn(4, 3, 1), "fc.bias": torch.randn(2)}


def same(ours: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return ours.keys() == expected.keys() and all(
        torch.equal(ours[key], value) for key, value in expected.items()
    )


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": s},
        lambda s: {"net": s, "epoch": 3},
        lambda s: {"ema": {"state_dict": {"model": s}}, "state_dict": {"other": torch.ones(1)}},
        lambda s: {"module." + k: v for k, v in s.items()},
        lambda s: {"_orig_mod." + k: v for k, v in s.items()},
        lambda s: {"state_dict": {"module." + k: v for k, v in s.items()}},
        lambda s: {"state_dict": {"module._orig_mod." + k: v for k, v in s.items()}, "epoch": 3},
    ],
    ids=[
        "plain",
        "state_dict",
        "model",
        "net",
        "three levels, ema first",
        "module.",
        "_orig_mod.",
        "nested module.",
        "nested module._orig_mod.",
    ],
)
def test_a_state_dict_is_found_wherever_a_checkpoint_has_it(tmp_path: Path, state, wrap) -> None:
    torch.save(wrap(state), tmp_path / "w.pth")
    assert same(read_state_dict(tmp_path / "w.pth"), state)


def test_a_prefix_that_not_all_names_have_is_part_of_them(tmp_path: Path, state) -> None:
    state = {"module.fc.weight": torch.ones(2), **state}
    torch.save(state, tmp_path / "w.pth")
    assert same(read_state_dict(tmp_path / "w.pth"), state)


def test_safetensors(tmp_path: Path, state) -> None:
    save_file(state, tmp_path / "w.safetensors")
    assert same(read_state_dict(tmp_path / "w.safetensors"), state)


class Payload:
    """Unpickled, it would create a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path(self.path),))


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    torch.save({"state_dict": Payload(str(marker))}, tmp_path / "w.pth")
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(Payload(str(marker)), protocol=2))
    for name in ("w.pth", "w.pkl"):
        with pytest.raises(UsageError, match="hold more than tensors"):
            read_state_dict(tmp_path / name)
    assert not marker.exists()
    torch.load(tmp_path / "w.pth", weights_only=False)
    assert marker.exists()  # the file is one that runs code where it is trusted


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("w.pth", b"", "cannot be read"),
        ("w.pth", b"hello", "hold more than tensors|cannot be read"),
        ("w.safetensors", b"hello", "cannot be read"),
        ("w.safetensors", b"", "cannot be read"),
    ],
)
def test_files_that_are_no_weights(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=words):
        read_state_dict(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "'.*w.pth' hold no state dict: expected names and tensors"),
        ({}, "hold no state dict: expected names and tensors"),
        ({"student": {"a": torch.ones(1)}, "epoch": 3}, "no state dict, only student, epoch: "),
    ],
)
def test_a_file_without_a_state_dict_says_what_it_has(tmp_path: Path, content, words) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(UsageError, match=words):
        read_state_dict(tmp_path / "w.pth")


def test_all_of_a_state_dict_is_loaded() -> None:
    module, state = nn.Linear(3, 2), {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}
    load_state_dict(module, state, "w.pth")
    assert same(module.state_dict(), state)


def test_what_does_not_fit_is_named() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state = {name: torch.zeros_like(tensor) for name, tensor in before.items()}
    state["extra.weight"] = state.pop("1.weight")
    state["0.weight"] = torch.zeros(2, 5)
    with pytest.raises(UsageError) as caught:
        load_state_dict(module, state, "w.pth")
    assert str(caught.value) == (
        "weights 'w.pth' do not fit the network: 1 missing (1.weight); "
        "1 unexpected (extra.weight); "
        "1 of another shape (0.weight (2, 5) instead of (2, 3))"
    )
    assert same(module.state_dict(), before)


# Downloads


def entry(**answers: Any) -> SimpleNamespace:
    """A torchvision weights entry that asks for its file."""

    def get_state_dict(progress: bool, check_hash: bool, weights_only: bool) -> Any:
        assert check_hash and weights_only
        raise answers["error"]

    return SimpleNamespace(
        name="V1", url="https://example.org/net-0123.pth", get_state_dict=get_state_dict
    )


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty hub cache; the folder of its checkpoints."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def test_a_download_that_cannot_start_says_where_the_file_would_be(hub: Path, monkeypatch) -> None:
    monkeypatch.setattr(weights_module, "why_no_download", lambda url: "no route to host")
    with pytest.raises(WeightsUnavailable) as caught:
        download("net", entry())
    assert str(caught.value) == (
        f"weights V1 of net are not at {hub / 'net-0123.pth'} and cannot be downloaded "
        "(no route to host)"
    )


def test_a_download_that_breaks_off_and_a_damaged_file(hub: Path, monkeypatch) -> None:
    monkeypatch.setattr(weights_module, "why_no_download", lambda url: None)
    with pytest.raises(WeightsUnavailable, match=r"of net broke off: reset$"):
        download("net", entry(error=OSError("reset\nand more")))
    (hub / "net-0123.pth").touch()
    with pytest.raises(UsageError, match=r"cannot be read: delete the file") as caught:
        download("net", entry(error=EOFError()))
    assert not isinstance(caught.value, WeightsUnavailable)


def test_an_address_that_refuses_and_one_that_does_not_answer(monkeypatch) -> None:
    released = threading.Event()

    def hang(*_: object, **__: object) -> None:
        released.wait(30)
        raise OSError("late")

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(weights_module.urllib.request, "urlopen", refuse)
    assert why_no_download("https://example.org") == "no route to host"
    assert why_no_download("not an address") is not None
    monkeypatch.setattr(weights_module, "DOWNLOAD_START_SECONDS", 0.2)
    monkeypatch.setattr(weights_module.urllib.request, "urlopen", hang)
    try:
        assert why_no_download("https://example.org") == "no answer within 0.2 s"
    finally:
        released.set()


def test_an_address_that_answers(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    assert why_no_download((tmp_path / "file").as_uri()) is None


class _Log:
    """Stands for mmengine's HistoryBuffer: an object whose pickle calls what it names."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return _record, (str(self.marker), np.int64(3))


def _record(path: str, value: Any) -> None:
    Path(path).touch()


@pytest.mark.parametrize("module", ["mmengine.logging", "other.logging"])
def test_the_log_of_a_training_program_is_left_out_and_nothing_runs(
    module: str, tmp_path: Path, monkeypatch
) -> None:
    stand_in = ModuleType(module)
    monkeypatch.setattr(stand_in, "_record", _record, raising=False)
    monkeypatch.setitem(sys.modules, module.partition(".")[0], ModuleType("parent"))
    monkeypatch.setitem(sys.modules, module, stand_in)
    monkeypatch.setattr(_record, "__module__", module)
    monkeypatch.setattr(_record, "__qualname__", "_record")
    path, marker = tmp_path / "epoch_1.pth", tmp_path / "marker"
    content = {
        "meta": {"seed": np.int64(7), "loss": np.zeros(3)},
        "message_hub": {"log": _Log(marker)},
        "state_dict": {"weight": torch.ones(2)},
    }
    torch.save(content, path)
    if module.startswith("mmengine"):
        assert torch.equal(read_state_dict(path)["weight"], torch.ones(2))
    else:
        with pytest.raises(UsageError, match="hold more than tensors"):
            read_state_dict(path)
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists()  # the pickle is one that runs code where it is trusted
