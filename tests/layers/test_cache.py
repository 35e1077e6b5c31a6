"""What was learned of a network is learned once, wherever it is asked again."""

from __future__ import annotations

import copy
import dataclasses
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.support.command import BUNDLED, ROOT
from video_cam import Classifier, load_model
from video_cam.layers import trace as tracing
from video_cam.layers.cache import FOLDER, remembered_chains, remembered_trace
from video_cam.layers.cell_positions import find_chains
from video_cam.layers.receptive_field import AxisChain, Chains, Step
from video_cam.layers.trace import Trace, example

SIZE = (16, 64, 64)
CHAINS: dict[str, Chains] = {
    "layer4": (
        AxisChain((Step(3, 2, 1), Step(1, 1, -2, 3, 5)), (0.1, 4.2, 1 / 3, 12.0)),
        AxisChain(()),
        None,
    )
}


class Finding:
    """Answers CHAINS and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> dict[str, Chains]:
        self.count += 1
        return CHAINS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER, str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_found_once_for_a_network_layers_and_size(bundled: Classifier, folder: Path) -> None:
    find = Finding()
    for _ in range(2):
        assert remembered_chains(bundled, ["layer4"], SIZE, True, find) == CHAINS
    assert find.count == 1 and len(list(folder.iterdir())) == 1
    remembered_chains(bundled, ["layer3"], SIZE, True, find)
    remembered_chains(bundled, ["layer4"], (16, 64, 32), True, find)
    remembered_chains(bundled, ["layer4"], SIZE, False, find)
    other = dataclasses.replace(bundled, module=copy.deepcopy(bundled.module))
    remembered_chains(other, ["layer4"], SIZE, True, find)  # the same weights
    assert find.count == 4
    other.module.fc.bias.data += 1
    remembered_chains(other, ["layer4"], SIZE, True, find)
    assert find.count == 5


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"layer4": 3}', '{"layer4": [null, null, [[[0]], ["x"]]]}']
)
def test_what_cannot_be_read_is_found_again(
    content: str, bundled: Classifier, folder: Path
) -> None:
    find = Finding()
    remembered_chains(bundled, ["layer4"], SIZE, True, find)
    [kept] = folder.iterdir()
    kept.write_text(content)
    assert remembered_chains(bundled, ["layer4"], SIZE, True, find) == CHAINS
    assert find.count == 2


def test_where_nothing_can_be_written_it_is_found_every_time(
    bundled: Classifier, folder: Path
) -> None:
    folder.write_text("a file where a folder should be")
    find = Finding()
    for _ in range(2):
        assert remembered_chains(bundled, ["layer4"], SIZE, True, find) == CHAINS
    assert find.count == 2


def test_a_user_without_a_home_finds_every_time(
    bundled: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv(FOLDER)
    monkeypatch.setattr(Path, "home", homeless)
    find = Finding()
    assert remembered_chains(bundled, ["layer4"], SIZE, True, find) == CHAINS
    assert find.count == 1


def test_a_network_at_hand_is_not_known_by_its_name(bundled: Classifier, folder: Path) -> None:
    own = load_model(copy.deepcopy(bundled.module), num_frames=16, size=(64, 64), frame_rate=16)
    assert bundled.known and not own.known
    find = Finding()
    for _ in range(2):
        remembered_chains(own, ["layer4"], SIZE, True, find)
    own.trace((8, 64, 64))
    assert find.count == 2 and not folder.exists()


def test_a_trace_is_kept_whole(bundled: Classifier, folder: Path) -> None:
    def run() -> Trace:
        runs.append(True)
        return tracing._trace(module, example(module, SIZE))

    module, runs = bundled.module, []
    first, second = (remembered_trace("motion3d", module, SIZE, run) for _ in range(2))
    assert len(runs) == 1 and len(list(folder.iterdir())) == 1
    assert list(second.seen.items()) == list(first.seen.items())
    assert second.seen["layer4"].kind is type(module.layer4)
    assert second.outputs.shape == first.outputs.shape
    # Another stride somewhere is another network, whatever its name and weights.
    module = copy.deepcopy(module)
    convolution = next(m for m in module.stem.modules() if isinstance(m, nn.Conv3d))
    convolution.stride = (1, 1, 1)
    remembered_trace("motion3d", module, SIZE, run)
    assert len(runs) == 2


def test_kept_chains_place_cells_as_found_ones(bundled: Classifier, folder: Path) -> None:
    def placed() -> dict[str, Chains]:
        module = copy.deepcopy(bundled.module)  # which this process has not met
        remember = partial(remembered_chains, dataclasses.replace(bundled, module=module))
        return find_chains(module, torch.empty(1, 3, *SIZE), ["layer4"], folds, "probe", remember)

    folds = bundled.layers(SIZE, ["layer4"]).folds
    found, kept = placed(), placed()
    assert len(list(folder.iterdir())) == 1
    assert kept == found and len(found["layer4"][0].measured) == 4


def test_a_second_command_starts_without_following_shapes(folder: Path, tmp_path: Path) -> None:
    """PyTorch's shapes without data bring in its compiler, which takes seconds to import."""
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
