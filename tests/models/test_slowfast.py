"""PySlowFast's networks, from a configuration in YAML; a small package stands in for them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from video_cam import UsageError, load_model
from video_cam.models.registry import known_models
from video_cam.models.slowfast import slowfast_spec

PACKAGE = """
import copy
import json
import torch
from torch import nn

class Config:
    def __init__(self):
        self.text = ""
    def merge_from_file(self, path, allow_unsafe=True):
        assert not allow_unsafe
        self.text = open(path).read()
        for name, values in json.loads(self.text).items():
            setattr(self, name, type(name, (), values)())
    def dump(self):
        return self.text
    def clone(self):
        return copy.deepcopy(self)

def get_cfg():
    return Config()

class Head(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.projection = nn.Linear(4, classes)
        self.act = nn.Softmax(dim=1)
    def forward(self, x):
        return self.act(self.projection(x))

class Net(nn.Module):
    def __init__(self, config):
        super().__init__()
        assert config.NUM_GPUS == 0
        self.s1 = nn.Conv3d(3, 4, 3, stride=(1, 2, 2), padding=1)
        self.head = Head(config.MODEL.NUM_CLASSES)
    def forward(self, x):
        self.given = [tuple(one.shape) for one in x]
        return self.head(self.s1(x[-1]).mean((2, 3, 4)))

def build_model(config):
    return Net(config)
"""
CONFIG = {
    "DATA": {
        "NUM_FRAMES": 8,
        "SAMPLING_RATE": 2,
        "TARGET_FPS": 30,
        "TEST_CROP_SIZE": 32,
        "MEAN": [0.45, 0.45, 0.45],
        "STD": [0.225, 0.225, 0.225],
        "REVERSE_INPUT_CHANNEL": False,
    },
    "MODEL": {"ARCH": "slowfast", "MULTI_PATHWAY_ARCH": ["slowfast"], "NUM_CLASSES": 5},
    "SLOWFAST": {"ALPHA": 4},
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch) -> Path:
    names: dict[str, object] = {}
    exec(PACKAGE, names)
    for module in ("slowfast", "slowfast.config", "slowfast.config.defaults", "slowfast.models"):
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(__path__=[], **names))
    path = tmp_path / "SLOWFAST.yaml"
    path.write_text(json.dumps(CONFIG))
    return path


def test_a_network_and_its_checkpoint(config: Path, tmp_path: Path) -> None:
    own = slowfast_spec(f"slowfast:{config}").build(3)
    content = {"epoch": 1, "model_state": own.state_dict(), "cfg": "TRAIN: {}"}
    torch.save(content, tmp_path / "checkpoint.pyth")
    model = load_model(f"slowfast:{config}", tmp_path / "checkpoint.pyth")
    assert (model.num_frames, model.frame_rate, model.preprocess.crop) == (8, 15, (32, 32))
    assert model.layer == "s1" and len(model.labels) == 3 and len(model.code) == 64
    x = torch.randn(1, 3, 8, 32, 32)
    with torch.no_grad():
        scores = model.module(x)
        expected = own.head.projection(own.s1(x).mean((2, 3, 4)))
    assert torch.allclose(scores, expected)  # the head's softmax is left out
    assert model.module.given == [(1, 3, 2, 32, 32), (1, 3, 8, 32, 32)]


def test_the_code_changes_with_the_configuration(config: Path) -> None:
    first = load_model(f"slowfast:{config}", "none").code
    config.write_text(json.dumps(CONFIG | {"BN": {"EPSILON": 0.1}}))
    assert load_model(f"slowfast:{config}", "none").code != first


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "slowfast", None)
    (tmp_path / "net.yaml").write_text("MODEL: {}\n")
    with pytest.raises(UsageError, match="needs PySlowFast"):
        load_model(f"slowfast:{tmp_path / 'net.yaml'}", "none")


@pytest.mark.parametrize("name", ["nowhere.yaml", "net.py"])
def test_other_files_are_not_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(UsageError, match="takes a configuration in YAML"):
        load_model(f"slowfast:{tmp_path / name}", "none")


def test_other_networks_have_no_configuration() -> None:
    assert not known_models()["r3d_18"].code
