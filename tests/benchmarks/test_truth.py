"""The benchmark measures what it says, on clips that count."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.truth import check_power, command, peers, sources, table
from benchmarks.truth import drawn_benchmark as yardstick
from benchmarks.truth.drawn_benchmark import Yardstick, draw_yardstick
from models3d.train import FIRST_TRAINING_SEED
from video_cam import Classifier, UsageError
from video_cam.config import ALIGNMENT_NAMES

ROOT = Path(__file__).parents[2]
KEYS = {
    *("method", "layer", "align", "source", "space_pointing", "space_time_pointing"),
    *("mass_in_event", "space_time_iou", "temporal_hit", "onset_error_frames", "lag_frames"),
    *("insertion", "deletion", "average_drop", "average_increase", "seconds"),
}


@pytest.fixture(scope="module")
def clips(bundled: Classifier) -> Yardstick:
    return draw_yardstick(bundled, 12)


def test_clips_that_count_are_held_out_and_need_their_event(
    bundled: Classifier, clips: Yardstick
) -> None:
    assert len(clips) == 12 and clips.drawn <= 48 and clips.masks.shape == (12, 16, 64, 64)
    last = yardstick.FIRST_SEED + 89 * yardstick.SEEDS_PER_RUN + yardstick.SEEDS_PER_RUN
    assert last <= FIRST_TRAINING_SEED
    found = yardstick.probabilities(bundled, clips.x)
    assert found.argmax(1).tolist() == clips.class_ids
    with pytest.raises(UsageError, match="5000 clips"):
        draw_yardstick(bundled, 5000)


def test_an_untrained_network_has_no_clips_that_count(bundled: Classifier, monkeypatch) -> None:
    monkeypatch.setattr(yardstick, "MOST_DRAWN", 1)
    with pytest.raises(UsageError, match="reads only"):
        draw_yardstick(sources.untrained(bundled), 16)


def test_the_command_prints_a_table_and_writes_every_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--clips", "4", "--faithful-clips", "1", "--methods", "gradcam"]
    arguments += ["--layers", "layer4", "--json", str(tmp_path / "rows.json")]
    assert command.main([*arguments, "--units", "--output-dir", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert all(set(row) == KEYS for row in rows)
    own = [row for row in rows if row["source"] == "video_cam"]
    assert [row["align"] for row in own] == list(ALIGNMENT_NAMES)
    assert len({row["lag_frames"]["mean"] for row in own[:4]}) == 4  # each in its own places
    controls = [row["method"] for row in rows if row["source"] == "control"]
    assert controls == ["random", "centre Gaussian", "frame difference", "gradcam, untrained"]
    for row in rows:
        for name in KEYS - {"method", "layer", "align", "source"}:
            assert set(row[name]) == {"mean", "low", "high"}
            assert row[name]["mean"] is None or row[name]["low"] <= row[name]["mean"] + 1e-9
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    assert len(lines) == 2 * (2 + len(rows)) + 2 + 5
    [itself] = [line for line in lines if line.startswith("| gradcam layer4 probe |")]
    assert itself.count("+0.00 (+0.00 to +0.00)") == 5
    assert len({line.count("|") for line in lines[: 2 + len(rows)]}) == 1
    assert "AUROC" in printed
    assert "insertion, frames, mean" in printed and "deletion, tubes, blur" in printed
    assert (tmp_path / "out" / "benchmark.png").stat().st_size > 10_000
    assert lines[0] in (tmp_path / "out" / "benchmark.md").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--methods", "gradkam"], "gradcam"),
        (["--layers", "layer9"], "did you mean layer4"),
        (["--faithful-clips", "0"], "must be 1 or more"),
        (["--json", "."], "'.' is a folder"),
        (["--output-dir", "README.md"], "README.md"),
    ],
)
def test_wrong_words_end_in_one_line_before_the_work(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yardstick, "draw_yardstick", None)
    monkeypatch.chdir(ROOT)
    assert command.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error:") and said in error and error.count("\n") == 1


def test_peers_maps_are_of_the_clips_size(bundled: Classifier, clips: Yardstick) -> None:
    for name in ("pytorch_grad_cam", "captum", "torchcam"):
        pytest.importorskip(name)
    few = clips.first(2)
    [ours, *_] = sources.own_rows(bundled, few, ["gradcam"], ["layer4"])
    rows = list(peers.peer_rows(bundled, few, ["gradcam"], ["layer4"]))
    assert [row.source for row in rows] == ["pytorch-grad-cam", "captum", "torchcam"]
    for row in rows:
        assert row.volumes.shape == few.masks.shape
        # The same map but for placing and scale.
        pair = torch.stack([row.volumes.flatten(), ours.volumes.clamp(min=0).flatten()])
        assert torch.corrcoef(pair)[0, 1] > 0.6


def test_a_missing_peer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(peers.importlib, "import_module", missing)
    with pytest.raises(UsageError, match="pip install grad-cam"):
        peers.check_installed()


def test_controls_are_what_they_say(clips: Yardstick) -> None:
    assert torch.equal(sources.random_maps(clips), sources.random_maps(clips))
    middle = sources.centre_gaussian(clips)
    assert middle[0, 8, 32, 32] > 0.99 and middle[0, 0, 0, 0] == pytest.approx(np.exp(-6), rel=1e-4)
    assert sources.frame_difference(clips)[:, 0].abs().max() == 0


def test_true_maps_stand_out(bundled: Classifier, clips: Yardstick) -> None:
    power = check_power.check_power(bundled, clips, "gradcam", "layer4", 8)
    assert set(power.auroc) == {"shuffled", "wrong class", "untrained", "all"}
    assert power.auroc["all"] > 0.85
    assert power.carried["true"] > 0.7
    assert max(power.carried[name] for name in ("shuffled", "wrong class", "untrained")) < 0.3


def test_auroc_by_hand() -> None:
    # Of six pairs the positive is higher in four, equal in one.
    assert check_power.auroc([3.0, 1.0], [0.0, 1.0, 2.0]) == pytest.approx(4.5 / 6)


def test_the_mean_map_stands_beside_the_drop() -> None:
    values = {name: np.array([0.5, 0.5]) for name in table.COLUMNS}
    values |= {"mean_map_drop": np.array([0.25]), "mean_map_increase": np.array([0.0])}
    row = table.Measured("gradcam", "layer4", "corners", "video_cam", values, 0.02)
    text = table.markdown([row])
    assert "0.50 ± 0.00 (0.25)" in text and "+0.50" in text and "| 20 |" in text
