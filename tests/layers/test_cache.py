"""Facts about a network are found once, in this process and in later ones."""

from __future__ import annotations

import copy
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.support.command import ROOT
from video_cam import Classifier, load_model
from video_cam.layers import cache
from video_cam.layers.cache import FOLDER_VARIABLE, Fact, learned
from video_cam.layers.cell_positions import find_receptive_fields
from video_cam.layers.receptive_field import ReceptiveFields
from video_cam.layers.trace import Trace, example, trace

SIZE = (8, 32, 32)
NUMBERS = [0.1, 1 / 3, 12.0]


class Finder:
    """Finds NUMBERS, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> list[float]:
        self.count += 1
        return NUMBERS


def fact(uses_weights: bool = True) -> Fact[list[float]]:
    kind = "numbers-of-weights" if uses_weights else "numbers-of-shapes"
    return Fact(kind, uses_weights, list, lambda _model, content: [float(n) for n in content])


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(3, 2, 3, stride=2), nn.BatchNorm3d(2), nn.Flatten())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_in_memory_once_for_a_network_and_key(folder: Path) -> None:
    net, find = network(), Finder()
    for key in ([1], [1], [2]):
        assert learned(fact(), net, key, find) == NUMBERS
    assert find.count == 2 and not folder.exists()


@pytest.mark.parametrize("name", ["0.weight", "0.bias", "1.running_mean"])
def test_found_again_when_weights_or_buffers_change_where_they_matter(name: str) -> None:
    net, with_weights, without = network(), Finder(), Finder()
    for _ in range(2):
        learned(fact(), net, [], with_weights)
        learned(fact(uses_weights=False), net, [], without)
        with torch.no_grad():
            net.state_dict()[name].add_(1)
    assert (with_weights.count, without.count) == (2, 1)
    net[0] = nn.Conv3d(3, 2, 3, stride=2)
    learned(fact(uses_weights=False), net, [], without)
    assert without.count == 2


def test_memory_does_not_grow_while_a_network_trains() -> None:
    net, find = network(), Finder()
    for _ in range(5):
        learned(fact(), net, ["layer"], find)
        with torch.no_grad():
            net[0].weight.mul_(2)
    assert find.count == 5 and len(cache._in_memory[net]) == 1


def test_on_disk_for_another_process(folder: Path) -> None:
    find = Finder()
    for _ in range(2):  # new networks with the same weights
        assert learned(fact(), network(), ["layer4"], find, "net") == NUMBERS
    assert find.count == 1 and len(list(folder.iterdir())) == 1
    learned(fact(), network(), ["layer3"], find, "net")
    learned(fact(), network(), ["layer4"], find, "another")
    assert find.count == 3
    changed = network()
    changed[0].bias.data += 1
    learned(fact(), changed, ["layer4"], find, "net")
    strided = network()
    strided[0].stride = (1, 1, 1)
    learned(fact(), strided, ["layer4"], find, "net")
    assert find.count == 5


@pytest.mark.parametrize("content", ["", "{", "[[]]", '["x"]', "3"])
def test_a_file_that_cannot_be_read_is_replaced(content: str, folder: Path) -> None:
    find = Finder()
    learned(fact(), network(), [], find, "net")
    [kept] = folder.iterdir()
    kept.write_text(content)
    assert learned(fact(), network(), [], find, "net") == NUMBERS
    assert find.count == 2
    assert learned(fact(), network(), [], find, "net") == NUMBERS
    assert find.count == 2


def test_without_a_folder_to_write_to_it_is_found_every_time(folder: Path) -> None:
    folder.write_text("a file where a folder should be")
    find = Finder()
    for _ in range(2):
        assert learned(fact(), network(), [], find, "net") == NUMBERS
    assert find.count == 2


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setattr(Path, "home", no_home)
    find = Finder()
    assert learned(fact(), network(), [], find, "net") == NUMBERS
    assert find.count == 1


def test_a_network_object_has_no_identity(bundled: Classifier, folder: Path) -> None:
    own = load_model(copy.deepcopy(bundled.module), num_frames=16, size=(64, 64), frame_rate=16)
    assert bundled.identity and not own.identity
    own.trace((8, 64, 64))
    assert not folder.exists()


def test_a_trace_comes_back_from_disk_unchanged(bundled: Classifier, folder: Path) -> None:
    def traced() -> Trace:
        module = copy.deepcopy(bundled.module)  # a network without entries in memory
        return trace(module, example(module, SIZE), "motion3d")

    first = traced()
    [kept] = folder.iterdir()
    second = traced()
    assert list(second.modules.items()) == list(first.modules.items())
    assert second.modules["layer4"].kind is type(bundled.module.layer4)
    assert second.outputs.shape == first.outputs.shape
    # The second one came from the file.
    kept.write_text(kept.read_text().replace('"layer4"', '"layer3"'))
    assert "layer4" not in traced().modules


def test_receptive_fields_come_back_from_disk_unchanged(bundled: Classifier, folder: Path) -> None:
    def found() -> dict[str, ReceptiveFields]:
        model = dataclasses.replace(bundled, module=copy.deepcopy(bundled.module))
        x = torch.empty(1, 3, *SIZE)
        return find_receptive_fields(model.module, x, ["layer4"], folds, "probe", model.identity)

    folds = bundled.layers(SIZE, ["layer4"]).folds
    first = found()
    [kept] = [file for file in folder.iterdir() if file.name.startswith("receptive-fields")]
    assert found() == first and len(first["layer4"][0].measured) == 2
    # The second one came from the file.
    content = json.loads(kept.read_text())
    content["layer4"][0][1] = [1, 2]
    kept.write_text(json.dumps(content))
    assert found()["layer4"][0].measured == (1, 2)


def test_versions_of_packages_are_part_of_the_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = Finder()
    learned(fact(), network(), [], find, "net")
    monkeypatch.setattr(cache.metadata, "version", lambda package: "99")
    learned(fact(), network(), [], find, "net")
    assert find.count == 2


def test_a_second_process_starts_without_tracing_shapes(folder: Path) -> None:
    """PyTorch's tensors without data import its compiler, which takes seconds."""
    program = (
        "import sys, video_cam; model = video_cam.load_model('motion3d'); "
        "video_cam.explain('clips/grow.mp4', model, end=0.5, align='receptive-field'); "
        "print('torch._dynamo' in sys.modules)"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    ]
    assert printed == ["True\n", "False\n"]
