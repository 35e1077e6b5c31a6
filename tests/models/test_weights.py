"""Checkpoints of every kind, and what is said of those that do not fit."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from models3d.motion3d import Motion3D
from video_cam import Classifier, UsageError, load_model
from video_cam.layers.weights_digest import digest_of_weights
from video_cam.models import weights as weights_module
from video_cam.models.registry import BUNDLED, known_models
from video_cam.models.weights import read_state_dict


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return Motion3D().state_dict()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty hub cache, and an address nobody answers."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(weights_module.urllib.request, "urlopen", refuse)
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def same(module: nn.Module, state: dict[str, torch.Tensor]) -> bool:
    own = module.state_dict()
    return own.keys() == state.keys() and all(torch.equal(own[key], state[key]) for key in own)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": s},
        lambda s: {"module." + k: v for k, v in s.items()},
        lambda s: {"state_dict": {"module." + k: v for k, v in s.items()}},
    ],
    ids=["plain", "state_dict", "model", "module.", "nested module."],
)
def test_state_dicts_of_every_kind(tmp_path: Path, state, wrap) -> None:
    torch.save(wrap(state), tmp_path / "w.pth")
    assert same(load_model(BUNDLED, str(tmp_path / "w.pth")).module, state)


def test_safetensors(tmp_path: Path, state) -> None:
    save_file(state, tmp_path / "w.safetensors")
    model = load_model(BUNDLED, str(tmp_path / "w.safetensors"))
    assert same(model.module, state)
    assert model.weights == "w.safetensors" and model.trained


def test_what_does_not_fit_is_named(tmp_path: Path, state) -> None:
    wrong = dict(state)
    wrong["extra.weight"] = wrong.pop("layer1.conv1.weight")
    wrong["stem.0.weight"] = torch.zeros(16, 3, 1, 1, 1)
    torch.save(wrong, tmp_path / "w.pth")
    with pytest.raises(UsageError) as caught:
        load_model(BUNDLED, str(tmp_path / "w.pth"))
    assert str(caught.value) == (
        "weights 'w.pth' do not fit the network: 1 missing (layer1.conv1.weight); "
        "1 unexpected (extra.weight); "
        "1 of another shape (stem.0.weight (16, 3, 1, 1, 1) instead of (16, 3, 3, 5, 5))"
    )


def test_a_checkpoint_may_have_its_own_number_of_classes(tmp_path: Path) -> None:
    torch.save(Motion3D(3).state_dict(), tmp_path / "w.pth")
    model = load_model(BUNDLED, str(tmp_path / "w.pth"))
    assert model.labels == ("class 0", "class 1", "class 2")
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    named = load_model(BUNDLED, str(tmp_path / "w.pth"), labels=tmp_path / "names.txt")
    assert named.labels == ("a", "b", "c")


class Payload:
    """Pickled, it would create a file when loaded."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path(self.path),))


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": Payload(str(tmp_path / "ran"))}, tmp_path / "w.pth")
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(Payload(str(tmp_path / "ran"))))
    for name in ("w.pth", "w.pkl"):
        with pytest.raises(UsageError, match="hold more than tensors"):
            load_model(BUNDLED, str(tmp_path / name))
    assert not (tmp_path / "ran").exists()


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
        load_model(BUNDLED, str(tmp_path / name))


def test_a_file_without_a_state_dict(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "w.pth")
    with pytest.raises(UsageError, match="hold no state dict"):
        load_model(BUNDLED, str(tmp_path / "w.pth"))


def test_unknown_names_are_answered_with_right_ones() -> None:
    with pytest.raises(UsageError, match="did you mean r3d_18"):
        load_model("r3d18")
    with pytest.raises(UsageError, match="KINETICS400_V1"):
        load_model("r3d_18", "KINETICS_V1")


def test_pretrained_weights_come_from_the_hubs_cache(no_network: Path) -> None:
    row = known_models()["mc3_18"]
    torch.manual_seed(2)
    state = row.build(400).state_dict()
    torch.save(state, no_network / Path(row.pretrained["KINETICS400_V1"].url).name)
    model = load_model("mc3_18")
    assert same(model.module, state)
    assert (model.weights, len(model.labels)) == ("KINETICS400_V1", 400)
    assert model.labels[6] == "arm wrestling"


def test_a_named_network_is_never_swapped(no_network: Path) -> None:
    with pytest.raises(UsageError, match=r"weights KINETICS400_V1 of r3d_18 .*no route to host"):
        load_model("r3d_18")


def test_the_default_falls_back_to_the_bundled_network_and_says_so(no_network: Path) -> None:
    said: list[str] = []
    model = load_model(say=said.append)
    assert model.name == BUNDLED and model.trained
    [line] = said
    assert "no route to host" in line and BUNDLED in line and "\n" not in line


def test_the_default_is_r3d_18_where_its_weights_are_on_disk(no_network: Path) -> None:
    row = known_models()["r3d_18"]
    state = row.build(400).state_dict()
    torch.save(state, no_network / Path(row.pretrained["KINETICS400_V1"].url).name)
    model = load_model()
    assert (model.name, model.weights) == ("r3d_18", "KINETICS400_V1")


def test_a_download_that_does_not_start_counts_as_not_to_be_had(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(weights_module, "DOWNLOAD_START_SECONDS", 0.2)
    released = weights_module.threading.Event()

    def hang(*_: object, **__: object) -> None:
        released.wait(30)
        raise OSError("late")

    monkeypatch.setattr(weights_module.urllib.request, "urlopen", hang)
    try:
        with pytest.raises(weights_module.WeightsUnavailable, match=r"nothing came within 0.2 s"):
            load_model("r3d_18")
    finally:
        released.set()


def test_random_weights_are_named_as_such() -> None:
    model = load_model(BUNDLED, "none")
    assert not model.trained and model.weights == "none"
    assert not model.module.training


def test_weights_are_stored_as_a_cpu_likes_them(bundled: Classifier) -> None:
    convolutions = [p for p in bundled.module.parameters() if p.ndim == 5]
    assert all(p.is_contiguous(memory_format=torch.channels_last_3d) for p in convolutions)
    plain = copy.deepcopy(bundled.module)
    for parameter in plain.parameters():
        parameter.data = parameter.data.contiguous()
    x = torch.randn(2, 3, 16, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(bundled.module(x), plain(x), rtol=1e-5, atol=1e-5)
    assert digest_of_weights(bundled.module) == digest_of_weights(plain)


@pytest.mark.parametrize(
    ("key", "prefix"),
    [("net", ""), ("ema", "module."), ("state_dict", "module._orig_mod."), ("", "_orig_mod.")],
)
def test_what_wrappers_leave_in_a_state_dict_is_taken_off(key: str, prefix: str, tmp_path) -> None:
    named = {f"{prefix}fc.weight": torch.ones(2, 3), f"{prefix}fc.bias": torch.zeros(2)}
    torch.save({key: named, "epoch": 3} if key else named, tmp_path / "w.pth")
    assert set(read_state_dict(tmp_path / "w.pth")) == {"fc.weight", "fc.bias"}


def test_what_is_there_in_place_of_a_state_dict_is_told(tmp_path) -> None:
    torch.save({"student": {"a": torch.ones(1)}, "epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(UsageError, match="no state dict, only student, epoch: expected names"):
        read_state_dict(tmp_path / "w.pth")
