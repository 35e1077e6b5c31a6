"""The command as a person types it: exit status, messages and results, for good and bad input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.support.command import (
    BUNDLED,
    ROOT,
    SCRIPT,
    Run,
    assert_one_error_line,
    command,
    results_in,
)
from tests.support.media import cut_file, moving_square, stamps_seconds, write_clip, write_sound
from video_cam.batch.inputs import clip_id
from video_cam.cli import main as main_module

QUICK = (*BUNDLED, "--max-keyframes", "1", "--no-check")


def test_a_person_types_the_command(sample_clip: Path, out: Path) -> None:
    done = command("--clip", sample_clip, *BUNDLED, "--use-cuda", "--save-dir", out)
    assert done.returncode == 0, done.stderr
    if not torch.cuda.is_available():
        assert done.stderr == "warning: there is no CUDA device; running on the CPU\n"
    assert done.stdout.splitlines()[-1].endswith(str(out / sample_clip.stem / "index.html"))
    summary = json.loads((out / sample_clip.stem / "summary.json").read_text())
    assert summary["predictions"][0]["label"] == sample_clip.stem.replace("_", " ")
    assert stamps_seconds(out / sample_clip.stem / "annotated.mp4") == stamps_seconds(sample_clip)


def test_several_clips_one_of_them_bad(
    run: Run, out: Path, sample_clip: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "text.mp4"
    bad.write_text("this is no video")
    status, _, err = run("--clip", bad, sample_clip, *BUNDLED)
    assert status == 1
    assert err.splitlines()[0].startswith("error: ") and "text.mp4" in err
    assert "1 of 2 clips failed" in err and "Traceback" not in err
    assert results_in(out) == [sample_clip.stem]


def write_empty(path: Path) -> None:
    path.touch()


def write_truncated(path: Path) -> None:
    write_clip(path, 30)
    cut_file(path, 0.3)  # the index is at the end: nothing decodes


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (write_empty, "empty"),
        (lambda path: path.write_text("hello"), "bad.mp4"),
        (lambda path: write_sound(path), "only audio"),
        (write_truncated, "bad.mp4"),
    ],
    ids=["empty", "text", "audio only", "truncated"],
)
def test_a_clip_that_cannot_be_used(write, words: str, run: Run, out: Path, tmp_path: Path) -> None:
    write(tmp_path / "bad.mp4")
    status, _, err = run("--clip", tmp_path / "bad.mp4", *BUNDLED)
    assert_one_error_line(status, err, 1, words)
    assert results_in(out) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--layer", "layer9"], "unknown layer 'layer9': did you mean layer"),
        (["--method", "grad-cam"], "did you mean gradcam"),
        (["--colormap", "jett"], "did you mean jet?"),
        (["--class-id", "dash lft"], "did you mean dash left"),
        (["--class-id", "9"], "outside 0 ... 8"),
        (["--layout", "grid"], "overlay, side-by-side, strip"),
        (["--normalize", "clip"], "video, window, frame"),
        (["--alpha", "2"], "alpha 2.0 must lie between 0 and 1"),
        (["--start", "100"], "the clip runs from"),
        (["--weights", "nowhere.pth"], "unknown weights 'nowhere.pth'"),
        (["--labels", "nowhere.txt"], "No such file"),
        (["--device", "abacus"], "device 'abacus' cannot be used; there are cpu"),
        (["--device", "cuda:99"], "device 'cuda:99' cannot be used; there are cpu"),
        (["--align", "centre"], "receptive-field, probe, half-pixel, corners, nearest"),
        (["--top-k", "0"], "top_k 0 must be above 0"),
        (["--num-frames", "100000000"], "num_frames 100000000 must be at most 10000"),
        (["--n-images", "0"], "--n-images 0 must be 1 or more"),
        (["--target", "nowhere.py:f"], "no such file: 'nowhere.py'"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_wrong_argument(
    arguments: list[str], words: str, run: Run, out: Path, sample_clip: Path
) -> None:
    status, _, err = run("--clip", sample_clip, *BUNDLED, *arguments)
    assert_one_error_line(status, err, 2, words)
    assert results_in(out) == []


def test_a_wrong_argument_with_several_clips(
    run: Run, out: Path, sample_clip: Path, tmp_path: Path
) -> None:
    """The worker process finds it, and the command ends with the status of wrong arguments."""
    other = shutil.copy(sample_clip, tmp_path / "other.mp4")
    status, _, err = run("--clip", sample_clip, other, *BUNDLED, "--class-id", "9")
    assert_one_error_line(status, err, 2, "outside 0 ... 8")
    assert results_in(out) == []


RAISES_ON_FRAMES = """
from torch import nn

class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv3d(3, 4, 3, padding=1), nn.Linear(4, 2)

    def forward(self, x):
        if x.device.type != "meta" and x.any():
            raise ValueError("not\\ntoday")
        return self.fc(self.conv(x).mean((2, 3, 4)))
"""


def test_a_network_that_raises_on_real_frames(run: Run, sample_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "network.py").write_text(RAISES_ON_FRAMES)
    words = ("--model", f"{tmp_path}/network.py:Network", "--num-frames", 4, "--size", 16)
    status, _, err = run("--clip", sample_clip, *words, "--align", "half-pixel")
    assert status == 1 and err.count("\n") == 1
    assert f"{sample_clip}: ValueError: not today (--debug shows where)" in err
    with pytest.raises(ValueError, match="not"):
        run("--clip", sample_clip, *words, "--align", "half-pixel", "--debug")


def test_an_unknown_model(run: Run, sample_clip: Path) -> None:
    status, _, err = run("--clip", sample_clip, "--model", "r3d18")
    assert_one_error_line(status, err, 2, "did you mean r3d_18")


def test_labels_of_the_wrong_number(run: Run, sample_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("a\nb\n")
    status, _, err = run("--clip", sample_clip, *BUNDLED, "--labels", tmp_path / "names.txt")
    assert_one_error_line(status, err, 2, "has 2 names, the network has 9 classes")


@pytest.mark.parametrize("name", ["missing.mp4", "empty", "*.mkv"])
def test_a_clip_that_does_not_exist(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    status, _, err = run("--clip", tmp_path / name, *BUNDLED)
    assert_one_error_line(status, err, 2, name)


def test_no_clip_at_all(run: Run) -> None:
    status, _, err = run()
    assert_one_error_line(status, err, 2, "no clip was given: add --clip PATH")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_folder_without_permission(run: Run, out: Path, sample_clip: Path) -> None:
    out.mkdir(mode=0o500)
    status, _, err = run("--clip", sample_clip, *BUNDLED)
    assert_one_error_line(status, err, 2, "cannot write to")


def test_an_output_folder_that_is_a_file(run: Run, out: Path, sample_clip: Path) -> None:
    out.touch()
    status, _, err = run("--clip", sample_clip, *BUNDLED)
    assert_one_error_line(status, err, 2, "cannot write to")


def test_an_interrupt_leaves_nothing_half_written(out: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "long.mp4", moving_square(400, 640, 480))
    words = ("--clip", clip, *BUNDLED, "--output-dir", out)
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test suite in the background may have been started with interrupts ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(out.glob(".*.partial")):
        time.sleep(0.05)  # until rendering has begun to write
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err and "interrupted" in err
    assert results_in(out) == [] and not list(out.glob("**/*.part*"))


@pytest.fixture
def sigterm() -> Iterator[None]:
    """Restores the handling of SIGTERM."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_the_end_of_a_cluster_job_is_handled_as_an_interrupt(
    sigterm: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def terminate(*_: object) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        return 0

    monkeypatch.setattr(main_module, "_run", terminate)
    monkeypatch.setattr(sys, "argv", ["run_video_cam.py", "--clip", "v.mp4"])
    assert main_module.run_process() == 130
    assert "interrupted" in capsys.readouterr().err


def test_finished_results_are_kept_changed_ones_replaced(
    run: Run, out: Path, sample_clip: Path
) -> None:
    summary = out / sample_clip.stem / "summary.json"

    def written_at(*more: str) -> tuple[int, str]:
        status, said, err = run("--clip", sample_clip, *QUICK, *more)
        assert (status, err) == (0, "")
        return summary.stat().st_mtime_ns, said

    first, _ = written_at()
    second, said = written_at()
    assert second == first and "nothing has changed" in said
    third, _ = written_at("--overwrite")
    assert third > first
    fourth, _ = written_at("--colormap", "jet")
    assert fourth > third


def test_other_folders_are_not_replaced(run: Run, out: Path, sample_clip: Path) -> None:
    (out / sample_clip.stem).mkdir(parents=True)
    (out / sample_clip.stem / "thesis.tex").touch()
    status, _, err = run("--clip", sample_clip, *BUNDLED, "--overwrite")
    assert_one_error_line(status, err, 2, "holds no results of video_cam")
    assert [p.name for p in (out / sample_clip.stem).iterdir()] == ["thesis.tex"]


def test_a_folder_of_clips_and_clips_of_one_name(
    run: Run, out: Path, sample_clip: Path, tmp_path: Path
) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(sample_clip, tmp_path / folder / "v.mp4")
    status, _, err = run("--clip", tmp_path / "a", tmp_path / "b" / "*.mp4", *QUICK)
    assert (status, err) == (0, "")
    assert results_in(out) == sorted(f"v-{clip_id(tmp_path / f / 'v.mp4')}" for f in "ab")


def test_the_first_clips_only(run: Run, out: Path, tmp_path: Path) -> None:
    for name in "abc":
        write_clip(tmp_path / f"{name}.mp4", 4)
    status, _, err = run("--clip", tmp_path / "*.mp4", *QUICK, "--n-images", 1)
    assert (status, err, results_in(out)) == (0, "", ["a"])
    status, _, err = run("--clip", tmp_path / "*.mp4", *QUICK, "--shard", "3/3")
    assert (status, err, results_in(out)) == (0, "", ["a", "c"])


def test_the_page_is_opened_when_it_is_written(
    run: Run, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    clip = write_clip(tmp_path / "v.mp4", 4)
    assert run("--clip", clip, *QUICK)[0] == 0
    assert opened == []
    assert run("--clip", clip, *QUICK, "--show")[0] == 0
    assert opened == [(out / "v" / "index.html").resolve().as_uri()]


def test_one_clip_too_short_for_the_start_does_not_stop_the_others(
    run: Run, out: Path, sample_clip: Path, tmp_path: Path
) -> None:
    short = write_clip(tmp_path / "short.mp4", 5)
    words = ("--start", "1", "--frame-rate", "16")
    status, _, err = run("--clip", short, sample_clip, *QUICK, *words)
    assert status == 1 and "no frame between 1.0 s and the end" in err
    assert results_in(out) == [sample_clip.stem]


def test_limits_of_the_command(run: Run, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "v.mp4", 5)
    status, _, err = run("--clip", clip, *QUICK, "--max-frames", 4)
    assert_one_error_line(status, err, 1, "more than 4 frames")
    status, _, err = run("--clip", clip, *QUICK, "--max-pixels", 64)
    assert_one_error_line(status, err, 1, "more than 64 pixels")


def test_a_folder_of_numbered_frames_is_one_clip(run: Run, out: Path, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for i, frame in enumerate(moving_square(18)):
        cv2.imwrite(str(tmp_path / "frames" / f"f_{i}.png"), frame)
    status, _, err = run("--clip", tmp_path / "frames", *QUICK)
    assert (status, err) == (0, "")
    assert len(stamps_seconds(out / "frames" / "annotated.mp4")) == 18


def test_untrained_weights_are_named_everywhere(run: Run, out: Path, sample_clip: Path) -> None:
    status, said, _ = run("--clip", sample_clip, *QUICK, "--weights", "none")
    words = "untrained network: the maps mean nothing"
    assert status == 0 and words in said
    folder = out / sample_clip.stem
    assert words in (folder / "index.html").read_text()
    assert words in json.loads((folder / "summary.json").read_text())["notes"]


def test_list_layers(run: Run, out: Path, sample_clip: Path) -> None:
    status, said, _ = run("--clip", sample_clip, *BUNDLED, "--list-layers")
    assert status == 0 and not out.exists()
    [line] = [line for line in said.splitlines() if line.startswith("layer4 ")]
    assert "(1, 128, 4, 4, 4)" in line and "<- default" in line and " 4, 4.0, " in line
    # Its ReLUs run several times, on outputs of several sizes.
    words = ("--model", "resnet50", "--weights", "none", "--size", 64)
    status, said, _ = run("--clip", sample_clip, *words, "--list-layers")
    assert status == 0 and "layer4 " in said and "layer1.0.relu" not in said


def test_list_models(run: Run) -> None:
    status, said, _ = run("--list-models", "--alpha", "2")  # other options do not matter
    names = {line.split()[0] for line in said.splitlines()}
    assert status == 0 and names >= {"r3d_18", "mc3_18", "r2plus1d_18", "s3d", "motion3d"}
    [line] = [line for line in said.splitlines() if line.startswith("resnet50 ")]
    assert "frame by frame" in line


def test_several_layers_methods_and_classes_each_get_a_video(
    run: Run, out: Path, sample_clip: Path
) -> None:
    status, _, _ = run(
        "--clip", sample_clip, *QUICK, "--layer-name", "layer3", "layer4",
        "--method", "gradcam", "hirescam", "--class-id", "grow", "0",
    )  # fmt: skip
    assert status == 0
    summary = json.loads((out / sample_clip.stem / "summary.json").read_text())
    assert [t["class_id"] for t in summary["targets"]] == [4, 0]
    videos = summary["files"]["videos"]
    assert videos[0] == "annotated.mp4" and len(videos) == 8
    assert videos[1] == "annotated_2_grow_layer3_hirescam.mp4"
    assert all((out / sample_clip.stem / name).is_file() for name in videos)


SHARED = ROOT.parent / "shared" / "clips"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real clips are not here")
@pytest.mark.parametrize(
    ("name", "frames"),
    [("armwrestling.mp4", 280), ("newtonscradle.gif", 36), ("applying_eye_makeup.avi", 164)],
)
def test_real_clips(name: str, frames: int, run: Run, out: Path) -> None:
    status, _, err = run("--clip", SHARED / name, *BUNDLED, "--max-keyframes", "4")
    assert (status, err) == (0, "")
    annotated = out / Path(name).stem / "annotated.mp4"
    assert len(stamps_seconds(annotated)) == frames
    source = np.array(stamps_seconds(SHARED / name), float)
    drawn = np.array(stamps_seconds(annotated), float)
    np.testing.assert_allclose(drawn, source, atol=1e-9)


def test_the_predicted_class_is_shown_beside_another_explained_one(
    run: Run, out: Path, sample_clip: Path
) -> None:
    status, said, _ = run("--clip", sample_clip, *BUNDLED, "--class-id", "grow", "--no-check")
    assert status == 0 and "grow 0% (predicted dash right 100%)" in said
    page = (out / sample_clip.stem / "index.html").read_text()
    facts = page.split('class="facts">')[1].split("</p>")[0]
    assert "predicted dash right 100% · explained <strong>grow</strong>" in facts


def test_a_function_of_the_output_is_explained(
    run: Run, out: Path, sample_clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "targets.py").write_text("def twice(out):\n    return 2 * out[:, 1]\n")
    words = (*QUICK, "--target", f"{tmp_path}/targets.py:twice")
    status, _, err = run("--clip", sample_clip, *words)
    assert (status, err) == (0, "")
    summary = json.loads((out / sample_clip.stem / "summary.json").read_text())
    assert [target["label"] for target in summary["targets"]] == ["twice"]


def test_pictures_of_gradients_belong_to_the_keyframes(
    run: Run, out: Path, sample_clip: Path
) -> None:
    status, _, err = run(
        "--clip", sample_clip, *BUNDLED, "--guided", "--smoothgrad", "--end", "1.25"
    )
    assert (status, err) == (0, "")
    folder = out / sample_clip.stem
    saved = sorted(p.name for p in (folder / "guided").iterdir())
    assert saved == sorted(p.name for p in (folder / "keyframes").iterdir())
    assert len(saved) == 20
    picture = cv2.imread(str(folder / "guided" / saved[8]))
    assert picture.shape == (64, 3 * 64, 3)
    _, guided, product = np.split(picture.astype(int) - 128, 3, axis=1)
    assert 0 < np.count_nonzero(product) <= np.count_nonzero(guided)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["files"]["guided"][0] == "guided/000000.png"
    smooth = [cv2.imread(str(folder / name)) for name in summary["files"]["smoothgrad"]]
    assert len(smooth) == 20
    assert {picture.shape for picture in smooth} == {(64, 2 * 64, 3)}
    # The sprite dashes in the middle of the clip, not in the first frames.
    assert smooth[10][:, 64:].std() > 1.5 * smooth[0][:, 64:].std()


def test_options_of_maps_reach_the_explanation(run: Run, out: Path, sample_clip: Path) -> None:
    status, _, err = run(
        "--clip", sample_clip, *QUICK, "--method", "scorecam", "ablationcam", "eigencam",
        "--aug-smooth", "--aug-shift", "1", "--eigen-smooth", "--max-channels", "4", "--end", "1",
    )  # fmt: skip
    assert (status, err) == (0, "")
    summary = json.loads((out / sample_clip.stem / "summary.json").read_text())
    assert [m["method"] for m in summary["maps"]] == ["scorecam", "ablationcam", "eigencam"]
    options = summary["options"]
    assert (options["max_channels"], options["aug_shift"], options["end"]) == (4, 1, 1.0)
    assert options["aug_smooth"] and options["eigen_smooth"]
