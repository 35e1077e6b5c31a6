"""``load_model``: which network and which weights a name means, and the errors."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from models3d.motion3d import Motion3D
from tests.support.networks import PoolLinear
from tests.support.user_networks import SMALL_INPUT, write_networks
from video_cam import Classifier, UsageError, load_model
from video_cam.layers.weights_digest import digest_of_weights
from video_cam.models import weights as weights_module
from video_cam.models.registry import ALIASES, BUNDLED, STAND_IN, known_models
from video_cam.models.weights import WeightsUnavailable
from video_cam.utils.notes import WARNING, Note


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No address answers, and the hub's cache is empty; the folder of its checkpoints."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(weights_module.urllib.request, "urlopen", refuse)
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def same(module: nn.Module, state: dict[str, torch.Tensor]) -> bool:
    own = module.state_dict()
    return own.keys() == state.keys() and all(torch.equal(own[key], state[key]) for key in own)


# Weights of a known network


def test_weights_from_a_file(tmp_path: Path) -> None:
    state = Motion3D().state_dict()
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "w.pth")
    model = load_model(BUNDLED, tmp_path / "w.pth")
    assert same(model.module, state) and not model.module.training
    assert model.weights == "w.pth" and model.trained


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    state = Motion3D().state_dict()
    del state["layer1.conv1.weight"]
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(UsageError, match=r"'w.pth' do not fit the network: 1 missing"):
        load_model(BUNDLED, str(tmp_path / "w.pth"))


def test_a_checkpoint_may_have_its_own_number_of_classes(tmp_path: Path) -> None:
    torch.save(Motion3D(3).state_dict(), tmp_path / "w.pth")
    model = load_model(BUNDLED, str(tmp_path / "w.pth"))
    assert model.labels == ("class 0", "class 1", "class 2")
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    named = load_model(BUNDLED, str(tmp_path / "w.pth"), labels=tmp_path / "names.txt")
    assert named.labels == ("a", "b", "c")


@pytest.mark.parametrize("head", [torch.zeros(0, 64), torch.tensor(1.0)], ids=["empty", "scalar"])
def test_a_head_without_classes_is_refused(head: torch.Tensor, tmp_path: Path, bundled) -> None:
    state = bundled.module.state_dict()
    name = next(name for name in reversed(state) if name.endswith("weight"))
    torch.save(state | {name: head}, tmp_path / "w.pth")
    with pytest.raises(UsageError, match=r"expected one row for each class"):
        load_model("motion3d", str(tmp_path / "w.pth"))


def test_random_weights_with_as_many_classes_as_labels() -> None:
    model = load_model(BUNDLED, "none", labels=["a", "b", "c"])
    assert not model.trained and model.weights == "none" and not model.module.training
    assert model.labels == ("a", "b", "c") and model.module.fc.out_features == 3
    torch.manual_seed(0)
    other = load_model(BUNDLED, "none")
    assert not same(other.module, load_model(BUNDLED).module.state_dict())


def test_pretrained_weights_come_from_the_hubs_cache(no_network: Path) -> None:
    spec = known_models()["mc3_18"]
    torch.manual_seed(2)
    state = spec.build(400).state_dict()
    torch.save(state, no_network / Path(spec.pretrained["KINETICS400_V1"].url).name)
    for weights in (None, "DEFAULT", "KINETICS400_V1"):
        model = load_model("mc3_18", weights)
        assert same(model.module, state)
        assert (model.weights, len(model.labels)) == ("KINETICS400_V1", 400)
        assert model.labels[6] == "arm wrestling"


def test_weights_are_stored_channels_last_and_mean_the_same(bundled: Classifier) -> None:
    convolutions = [p for p in bundled.module.parameters() if p.ndim == 5]
    assert convolutions
    assert all(p.is_contiguous(memory_format=torch.channels_last_3d) for p in convolutions)
    plain = copy.deepcopy(bundled.module)
    for parameter in plain.parameters():
        parameter.data = parameter.data.contiguous()
    x = torch.randn(2, 3, 16, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(bundled.module(x), plain(x), rtol=1e-5, atol=1e-5)
    assert digest_of_weights(bundled.module) == digest_of_weights(plain)


# The default network


def test_a_named_network_is_never_swapped(no_network: Path) -> None:
    with pytest.raises(
        WeightsUnavailable, match=r"weights KINETICS400_V1 of r3d_18 .*no route to host"
    ):
        load_model("r3d_18")


def test_the_default_falls_back_to_the_bundled_network_and_says_so(no_network: Path) -> None:
    messages: list[str] = []
    model = load_model(say=messages.append, num_frames=8)
    assert model.name == BUNDLED and model.trained and model.num_frames == 8
    assert model.notes == (Note(STAND_IN, WARNING),)
    [line] = messages
    assert "no route to host" in line and BUNDLED in line and "\n" not in line


def test_the_default_is_r3d_18_where_its_weights_are_on_disk(no_network: Path) -> None:
    spec = known_models()["r3d_18"]
    state = spec.build(400).state_dict()
    torch.save(state, no_network / Path(spec.pretrained["KINETICS400_V1"].url).name)
    messages: list[str] = []
    model = load_model(say=messages.append)
    assert (model.name, model.weights) == ("r3d_18", "KINETICS400_V1")
    assert same(model.module, state) and model.notes == () and messages == []


# The user's own network


class _TimeFirst(PoolLinear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.transpose(1, 2))


def test_a_network_at_hand_is_left_as_it_is() -> None:
    network = _TimeFirst().train()
    model = load_model(network, layout="NTCHW", **SMALL_INPUT)
    assert network.training and type(network) is _TimeFirst
    x = torch.randn(2, 3, 5, 16, 16)
    torch.testing.assert_close(model.module(x), network(x.transpose(1, 2)))
    assert model.module.fc is network.fc and model.weights == "its own"


def test_a_network_inside_a_wrapper_is_taken_out() -> None:
    network = PoolLinear()
    assert load_model(nn.DataParallel(network), **SMALL_INPUT).module is network


def test_weights_are_loaded_into_a_factorys_network(tmp_path: Path) -> None:
    file = write_networks(tmp_path)
    model = load_model(f"{file}:make", **SMALL_INPUT)
    state = {name: torch.full_like(t, 0.5) for name, t in model.module.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "w.pth")
    loaded = load_model(f"{file}:make", tmp_path / "w.pth", **SMALL_INPUT)
    assert loaded.weights == "w.pth" and (loaded.module.fc.weight == 0.5).all()
    assert not loaded.module.training
    untrained = load_model(f"{file}:make", "none", **SMALL_INPUT)
    assert not untrained.trained
    with pytest.raises(UsageError, match=r"no such weights file: 'missing.pth'"):
        load_model(f"{file}:make", "missing.pth", **SMALL_INPUT)


# Names


def test_short_names_of_other_tools_are_known() -> None:
    assert all(name in known_models() for name in ALIASES.values())
    model = load_model("resnet", "none", num_frames=1, size=(64, 64))
    assert type(model.module).__mro__[1].__name__ == "ResNet" and model.name == "resnet"


@pytest.mark.parametrize(
    ("name", "weights", "words"),
    [
        ("r3d18", None, r"unknown model 'r3d18': did you mean r3d_18.*\? Or give file.py:factory"),
        ("qqq", None, r"unknown model 'qqq': see --list-models\. Or give"),
        ("r3d_18", "KINETICS_V1", r"unknown weights 'KINETICS_V1': for r3d_18 give KINETICS400_V1"),
        ("frame_lstm", None, r"frame_lstm has no pretrained weights: give --weights"),
        ("frame_lstm", "DEFAULT", r"frame_lstm has no pretrained weights: give --weights"),
    ],
)
def test_unknown_names_are_answered_with_right_ones(name: str, weights, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_model(name, weights)


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(UsageError, match=r"unknown option 'num_frame': did you mean num_frames"):
        load_model(BUNDLED, num_frame=8)
