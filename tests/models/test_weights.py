"""State dicts from files and checkpoints of every kind, downloads, and what does not fit."""

from __future__ import annotations

import json
import pickle
import sys
import threading
from collections.abc import Collection
from fractions import Fraction
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
from video_cam.models.state_dict_matching import match_state
from video_cam.models.weights import (
    WeightsUnavailable,
    download,
    load_state_dict,
    read_state_dicts,
    why_no_download,
)
from video_cam.utils.notes import WARNING


@pytest.fixture
def state() -> dict[str, Tensor]:
    return {"conv.weight": torch.randn(4, 3, 1), "fc.bias": torch.randn(2)}


def same(ours: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return ours.keys() == expected.keys() and all(
        torch.equal(ours[key], value) for key, value in expected.items()
    )


def state_for(path: Path, names: Collection[str]) -> dict[str, Tensor]:
    return match_state(read_state_dicts(path), names).state


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
        lambda s: {"state_dict": {"net.encoder." + k: v for k, v in s.items()}},
        lambda s: {"student": s, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}},
        lambda s: {"state_dict": {k.replace(".", "._orig_mod."): v for k, v in s.items()}},
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
        "two parts of a program's own",
        "a key of a program's own",
        "wrapped parts",
    ],
)
def test_a_state_dict_is_found_wherever_a_checkpoint_has_it(tmp_path: Path, state, wrap) -> None:
    torch.save(wrap(state), tmp_path / "w.pth")
    assert same(state_for(tmp_path / "w.pth", state), state)


def test_a_prefix_that_not_all_names_have_is_part_of_them(tmp_path: Path, state) -> None:
    state = {"module.fc.weight": torch.ones(2), **state}
    torch.save(state, tmp_path / "w.pth")
    assert same(state_for(tmp_path / "w.pth", state), state)


def test_safetensors(tmp_path: Path, state) -> None:
    save_file(state, tmp_path / "w.safetensors")
    assert same(state_for(tmp_path / "w.safetensors", state), state)


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
    for name, words in (("w.pth", "hold no state dict, only state_dict"), ("w.pkl", "more than")):
        with pytest.raises(UsageError, match=words):
            read_state_dicts(tmp_path / name)
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
        read_state_dicts(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "'.*w.pth' hold no state dict: expected names and tensors"),
        ({}, "hold no state dict: expected names and tensors"),
        ({"student": {"a": 1}, "epoch": 3}, "no state dict, only student, epoch: "),
        ({"model": Fraction(1, 2)}, r"only model \(an object of fractions.Fraction\): expected"),
    ],
)
def test_a_file_without_a_state_dict_says_what_it_has(tmp_path: Path, content, words) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(UsageError, match=words):
        read_state_dicts(tmp_path / "w.pth")


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
        "1 of another shape (0.weight (2, 5) instead of (2, 3)); --allow-partial loads what fits"
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


def test_the_log_of_a_training_program_is_left_out_and_nothing_runs(
    tmp_path: Path, monkeypatch
) -> None:
    module = "program.logging"
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
    assert torch.equal(read_state_dicts(path)["state_dict"]["weight"], torch.ones(2))
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists()  # the pickle is one that runs code where it is trusted


def index_of(folder: Path, parts: dict[str, dict[str, Tensor]]) -> Path:
    """A state dict in several files, with their list, as transformers writes it."""
    for name, tensors in parts.items():
        save_file(tensors, folder / name)
    listed = {key: name for name, tensors in parts.items() for key in tensors}
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": listed}))
    return path


def test_a_state_dict_in_several_files(tmp_path: Path, state) -> None:
    first, second = ({name: state[name]} for name in state)
    path = index_of(tmp_path, {"a.safetensors": first, "b.safetensors": second})
    assert same(state_for(path, state), state)
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(UsageError, match=r"list a file that is not there: 'b.safetensors'$"):
        read_state_dicts(path)
    save_file(first, tmp_path / "b.safetensors")
    with pytest.raises(UsageError, match=r"list tensors that are not in the files: fc.bias$"):
        read_state_dicts(path)
    path.write_text('{"weight_map": 3}')
    with pytest.raises(UsageError, match="expected the list of files"):
        read_state_dicts(path)


def test_a_list_names_no_file_of_another_folder(tmp_path: Path, state) -> None:
    (tmp_path / "inner").mkdir()
    save_file(state, tmp_path / "a.safetensors")
    path = tmp_path / "inner" / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": dict.fromkeys(state, "../a.safetensors")}))
    with pytest.raises(UsageError, match="not there"):
        read_state_dicts(path)


def test_what_fits_is_loaded_where_it_is_allowed() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state = {"0.weight": torch.ones(2, 3), "1.weight": torch.ones(4, 2), "x": torch.ones(1)}
    [note] = load_state_dict(module, state, "w.pth", allow_partial=True)
    assert note.kind == WARNING and note.text == (
        "only 1 of the network's 4 tensors were loaded: 2 missing (0.bias, 1.bias); "
        "1 unexpected (x); 1 of another shape (1.weight (4, 2) instead of (2, 2))"
    )
    assert same(module.state_dict(), before | {"0.weight": torch.ones(2, 3)})
    with pytest.raises(UsageError, match="do not fit the network") as caught:
        load_state_dict(module, {"x": torch.ones(1)}, "w.pth", allow_partial=True)
    assert "--allow-partial" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_loaded_into_a_network_of_full(dtype: torch.dtype) -> None:
    module = nn.Linear(3, 2)
    state = {"weight": torch.randn(2, 3).to(dtype), "bias": torch.zeros(2, dtype=dtype)}
    load_state_dict(module, state, "w.pth")
    assert module.weight.dtype == torch.float32 and torch.equal(
        module.weight, state["weight"].float()
    )
