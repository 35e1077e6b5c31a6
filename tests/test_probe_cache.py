"""What the probe measured is measured once for a network, wherever it is asked again."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from video_cam import Classifier, load_model
from video_cam.probe_cache import FOLDER, remembered
from video_cam.sensitivity import Reach, Reaches

SIZE = (16, 64, 64)
REACHES: dict[str, Reaches] = {
    "layer4": (
        Reach(np.array([0.1, 4.2, 1 / 3, 12.0]), 9.5),
        Reach(np.array([8.0, 24.0]), 20.25),
        Reach(np.array([7.0]), 64.0),
    )
}


class Measuring:
    """Answers REACHES and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> dict[str, Reaches]:
        self.count += 1
        return REACHES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER, str(tmp_path / "kept"))
    return tmp_path / "kept"


def assert_same(found: dict[str, Reaches]) -> None:
    for one, other in zip(found["layer4"], REACHES["layer4"], strict=True):
        assert one.centres.tolist() == other.centres.tolist() and one.width == other.width


def test_measured_once_for_a_network_layers_and_size(bundled: Classifier, folder: Path) -> None:
    measure = Measuring()
    for _ in range(2):
        assert_same(remembered(bundled, ["layer4"], SIZE, measure))
    assert measure.count == 1 and len(list(folder.iterdir())) == 1
    remembered(bundled, ["layer3"], SIZE, measure)
    remembered(bundled, ["layer4"], (16, 64, 32), measure)
    other = dataclasses.replace(bundled, module=copy.deepcopy(bundled.module))
    remembered(other, ["layer4"], SIZE, measure)  # the same weights
    assert measure.count == 3
    other.module.fc.bias.data += 1
    remembered(other, ["layer4"], SIZE, measure)
    assert measure.count == 4


@pytest.mark.parametrize("content", ["", "{", "[]", '{"layer4": 3}', '{"layer4": [[[0], "x"]]}'])
def test_what_cannot_be_read_is_measured_again(
    content: str, bundled: Classifier, folder: Path
) -> None:
    measure = Measuring()
    remembered(bundled, ["layer4"], SIZE, measure)
    [kept] = folder.iterdir()
    kept.write_text(content)
    assert_same(remembered(bundled, ["layer4"], SIZE, measure))
    assert measure.count == 2


def test_where_nothing_can_be_written_it_is_measured_every_time(
    bundled: Classifier, folder: Path
) -> None:
    folder.write_text("a file where a folder should be")
    measure = Measuring()
    for _ in range(2):
        assert_same(remembered(bundled, ["layer4"], SIZE, measure))
    assert measure.count == 2


def test_a_user_without_a_home_measures_every_time(
    bundled: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv(FOLDER)
    monkeypatch.setattr(Path, "home", homeless)
    measure = Measuring()
    assert_same(remembered(bundled, ["layer4"], SIZE, measure))
    assert measure.count == 1


def test_a_network_at_hand_is_not_known_by_its_name(bundled: Classifier, folder: Path) -> None:
    own = load_model(copy.deepcopy(bundled.module), num_frames=16, size=(64, 64), frame_rate=16)
    assert bundled.known and not own.known
    measure = Measuring()
    for _ in range(2):
        remembered(own, ["layer4"], SIZE, measure)
    assert measure.count == 2 and not folder.exists()
