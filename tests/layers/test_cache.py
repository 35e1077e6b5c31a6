"""What was learned of a network is learned once, in this process and in later ones."""

from __future__ import annotations

import copy
import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.support.command import BUNDLED, ROOT
from video_cam import Classifier, load_model
from video_cam.layers import cache
from video_cam.layers.cache import FOLDER_VARIABLE, Fact, learned
from video_cam.layers.cell_positions import find_receptive_fields
from video_cam.layers.receptive_field import ReceptiveFields
from video_cam.layers.trace import Trace, example, trace

SIZE = (16, 64, 64)
NUMBERS = [0.1, 1 / 3, 12.0]


class Finding:
    """Finds NUMBERS and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> list[float]:
        self.count += 1
        return NUMBERS


def fact(uses_weights: bool = True) -> Fact[list[float]]:
    return Fact("numbers", uses_weights, list, lambda _model, content: [float(n) for n in content])


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(3, 2, 3, stride=2), nn.Flatten())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_in_memory_once_for_a_network_and_key(folder: Path) -> None:
    net, find = network(), Finding()
    for key in ([1], [1], [2]):
        assert learned(fact(), net, key, find) == NUMBERS
    assert find.count == 2 and not folder.exists()


def test_learned_anew_when_weights_change_where_they_count(folder: Path) -> None:
    net, with_weights, without = network(), Finding(), Finding()
    for _ in range(2):
        learned(fact(), net, [], with_weights)
        learned(fact(uses_weights=False), net, [], without)
        with torch.no_grad():
            net[0].weight.mul_(2)
    assert (with_weights.count, without.count) == (2, 1)
    net[0] = nn.Conv3d(3, 2, 3, stride=2)
    learned(fact(uses_weights=False), net, [], without)
    assert without.count == 2


def test_on_disk_for_another_process(folder: Path) -> None:
    find = Finding()
    for _ in range(2):  # networks that this process has not seen: the same weights
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
    find = Finding()
    learned(fact(), network(), [], find, "net")
    [kept] = folder.iterdir()
    kept.write_text(content)
    assert learned(fact(), network(), [], find, "net") == NUMBERS
    assert find.count == 2
    assert learned(fact(), network(), [], find, "net") == NUMBERS
    assert find.count == 2


def test_where_nothing_can_be_written_it_is_learned_every_time(folder: Path) -> None:
    folder.write_text("a file where a folder should be")
    find = Finding()
    for _ in range(2):
        assert learned(fact(), network(), [], find, "net") == NUMBERS
    assert find.count == 2


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setattr(Path, "home", homeless)
    find = Finding()
    assert learned(fact(), network(), [], find, "net") == NUMBERS
    assert find.count == 1


def test_a_network_object_has_no_identity(bundled: Classifier, folder: Path) -> None:
    own = load_model(copy.deepcopy(bundled.module), num_frames=16, size=(64, 64), frame_rate=16)
    assert bundled.identity and not own.identity
    own.trace((8, 64, 64))
    assert not folder.exists()


def test_a_trace_is_kept_whole(bundled: Classifier, folder: Path) -> None:
    def traced() -> Trace:
        module = copy.deepcopy(bundled.module)  # which this process has not seen
        return trace(module, example(module, SIZE), "motion3d")

    first = traced()
    [kept] = folder.iterdir()
    second = traced()
    assert list(second.seen.items()) == list(first.seen.items())
    assert second.seen["layer4"].kind is type(bundled.module.layer4)
    assert second.outputs.shape == first.outputs.shape
    # The second answer came from the file.
    kept.write_text(kept.read_text().replace("layer4", "layer3"))
    with pytest.raises(AssertionError):
        assert list(traced().seen) == list(first.seen)


def test_kept_receptive_fields_are_those_found(bundled: Classifier, folder: Path) -> None:
    def found() -> dict[str, ReceptiveFields]:
        model = dataclasses.replace(bundled, module=copy.deepcopy(bundled.module))
        x = torch.empty(1, 3, *SIZE)
        return find_receptive_fields(model.module, x, ["layer4"], folds, "probe", model.identity)

    folds = bundled.layers(SIZE, ["layer4"]).folds
    first, kept = found(), found()
    assert len([f for f in folder.iterdir() if f.name.startswith("receptive-fields")]) == 1
    assert kept == first and len(first["layer4"][0].measured) == 4


def test_versions_of_packages_are_part_of_the_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = Finding()
    learned(fact(), network(), [], find, "net")
    monkeypatch.setattr(cache.metadata, "version", lambda package: "99")
    learned(fact(), network(), [], find, "net")
    assert find.count == 2


def test_a_second_command_starts_without_tracing_shapes(folder: Path, tmp_path: Path) -> None:
    """PyTorch's tensors without data import its compiler, which takes seconds."""
    program = "import sys; from video_cam.cli.main import main; assert not main(sys.argv[1:]); "
    program += "print('torch._dynamo' in sys.modules)"
    words = ["--clip", str(ROOT / "clips" / "grow.mp4"), *BUNDLED, "--no-check", "--quiet"]
    words += ["--max-keyframes", "1", "--overwrite", "--output-dir", str(tmp_path / "out")]
    said = [
        subprocess.run(
            [sys.executable, "-c", program, *words],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for _ in range(2)
    ]
    assert said == ["True\n", "False\n"]
