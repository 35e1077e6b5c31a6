"""Facts about a network are found once, in this process and in later ones."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def change(kept: Path, change_content: Callable[[Any], Any]) -> None:
    """Write a file again with other content, and the digest that belongs to it."""
    kept.write_bytes(cache.sealed(kept.name, change_content(content_of(kept))))


def content_of(kept: Path) -> Any:
    return json.loads(kept.read_bytes())["content"]


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[[]]", '["x"]', "3", "NaN", "[" * 100_000, '{"a":' * 100_000),
        json.dumps({"sha256": "0" * 64, "content": [1.5, 2.5, 3.5]}),
        json.dumps({"sha256": 3, "content": NUMBERS}),
        '{"sha256": "", "content": ' + "[" * 900 + "]" * 900 + "}",
    ],
    ids=lambda text: text[:30],
)
def test_a_damaged_file_is_told_and_written_again(content: str, folder: Path, caplog) -> None:
    find = Finder()
    learned(fact(), network(), [], find, "net")
    [kept] = folder.iterdir()
    kept.write_text(content)
    assert learned(fact(), network(), [], find, "net") == NUMBERS
    assert find.count == 2
    [line] = caplog.messages
    assert line.startswith(f"{kept} is damaged") and line.endswith("it is written again")
    assert learned(fact(), network(), [], find, "net") == NUMBERS
    assert find.count == 2


def test_one_changed_number_and_a_file_of_another_network_are_recognised(folder: Path) -> None:
    find = Finder()
    learned(fact(), network(), ["layer4"], find, "net")
    [kept] = folder.iterdir()
    data = kept.read_bytes()
    kept.write_bytes(data.replace(b"12.0", b"13.0"))
    assert learned(fact(), network(), ["layer4"], find, "net") == NUMBERS and find.count == 2
    learned(fact(), network(), ["layer3"], find, "net")
    [other] = [file for file in folder.iterdir() if file != kept]
    other.write_bytes(data)
    learned(fact(), network(), ["layer3"], find, "net")
    assert find.count == 4


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(folder: Path) -> None:
    find = Finder()
    learned(fact(), network(), [], find, "net")
    [kept] = folder.iterdir()
    kept.unlink()
    os.mkfifo(kept)
    assert learned(fact(), network(), [], find, "net") == NUMBERS
    assert find.count == 2 and kept.is_file()


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
    change(kept, lambda content: [content[0][:-1], content[1]])
    assert list(traced().modules) == list(first.modules)[:-1]


@pytest.mark.parametrize(
    "replaced",
    [
        {0: "no_such_layer"},
        {0: ""},
        {0: "layer1"},
        {0: 3},
        {1: [1, -2]},
        {1: [1] * 9},
        {1: [2**40]},
        {1: [1.5]},
        {2: [1, 2]},
        {2: [0, 1, 1]},
        {3: 0},
        {4: None},
        {4: True},
    ],
    ids=str,
)
def test_an_impossible_trace_is_not_used(
    replaced: dict[int, Any], bundled: Classifier, folder: Path
) -> None:
    def traced() -> Trace:
        module = copy.deepcopy(bundled.module)
        return trace(module, example(module, SIZE), "motion3d")

    first = traced()
    [kept] = folder.iterdir()
    row = next(row for row in content_of(kept)[0] if row[0] == "layer4")
    changed = [replaced.get(position, value) for position, value in enumerate(row)]
    change(kept, lambda content: [[changed if r == row else r for r in content[0]], content[1]])
    assert list(traced().modules.items()) == list(first.modules.items())
    change(kept, lambda content: [content[0], [-1, 8]])
    assert traced().outputs.shape == first.outputs.shape


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
    steps = content_of(kept)["layer4"][0][0]
    space = content_of(kept)["layer4"][1:]
    change(kept, lambda content: {"layer4": [[steps, [1, 2]], *space]})
    assert found()["layer4"][0].measured == (1, 2)


def test_impossible_receptive_fields_are_not_used(bundled: Classifier, folder: Path) -> None:
    def found() -> dict[str, ReceptiveFields]:
        module = copy.deepcopy(bundled.module)
        x, align = torch.empty(1, 3, *SIZE), "receptive-field"
        return find_receptive_fields(module, x, ["layer4"], {}, align, "motion3d")

    first = found()
    [kept] = folder.iterdir()
    (steps, _), *space = content_of(kept)["layer4"]
    change(kept, lambda content: {"layer4": [[steps, [1, 2]], *space]})
    assert found()["layer4"][0].measured == (1, 2)
    for wrong in (
        {"layer3": [[steps, []], *space]},
        {},
        {"layer4": space},
        {"layer4": [[steps, [1, 200]], *space]},
        {"layer4": [[steps, ["1", 2]], *space]},
        {"layer4": [[steps, [1, 2] * 500], *space]},
        {"layer4": [[[[3, 0, 1, 1, None]], []], *space]},
        {"layer4": [[[[0, 1, 1, 1, None]], []], *space]},
        {"layer4": [[[[3, 1, 2**40, 1, None]], []], *space]},
        {"layer4": [[[[3, 1, 1]], []], *space]},
    ):
        change(kept, lambda content, wrong=wrong: wrong)
        assert found() == first, wrong


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
        f"video_cam.explain({str(ROOT / 'clips/grow.mp4')!r}, model, end=0.5, "
        "align='receptive-field'); "
    )
    exec(program, {})  # the first process is this one
    assert "torch._dynamo" in sys.modules and list(folder.iterdir())
    program += "print('torch._dynamo' in sys.modules)"
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
