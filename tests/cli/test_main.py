"""The command as a person types it: exit status, messages and results, for good and bad input."""

from __future__ import annotations

import json
import os
import re
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
    command,
    records_in,
    results_in,
)
from tests.support.media import moving_square, stamps_seconds, write_clip
from video_cam.batch.inputs import clip_id
from video_cam.cli import main as main_module

# What is not these tests' subject, and takes seconds: to measure where cells look, finer layers.
PLAIN = ("--align", "receptive-field", "--detail", "none")
QUICK = (*BUNDLED, "--max-keyframes", "1", "--no-check", *PLAIN)


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


def test_an_interrupt_leaves_nothing_half_written(out: Path, tmp_path: Path) -> None:
    """Nor do two of them, to the command and its worker process, as Ctrl-C sends them."""
    clip = write_clip(tmp_path / "long.mp4", moving_square(250, 640, 480))
    (tmp_path / "list.txt").write_text(f"{clip}\n{tmp_path / 'missing.mp4'}\n")
    words = ("--clip", tmp_path / "list.txt", *BUNDLED, *PLAIN, "--output-dir", out)
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test suite in the background may have been started with interrupts ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(out.glob(".*.partial")):
        time.sleep(0.05)  # until rendering has begun to write
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.05)
    _, err = process.communicate(timeout=60)
    # The second one may come when Python has ended and handles no signals any more.
    assert process.returncode in (130, -signal.SIGINT)
    assert err == "error: interrupted: clips that were not finished left nothing behind\n"
    assert results_in(out) == [] and [path.name for path in out.iterdir()] == [".locks"]


def test_a_reader_that_ends_keeps_the_finished_clip(out: Path, tmp_path: Path) -> None:
    """As in ``run_video_cam.py ... | head -1``."""
    for name in "ab":
        write_clip(tmp_path / f"{name}.mp4", 4)
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), "--clip", str(tmp_path), *QUICK, "--output-dir", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline().startswith("model motion3d")
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 141
    assert [(r["clip"], r["status"]) for r in records_in(out)] == [
        (str(tmp_path / "a.mp4"), "done")
    ]
    assert results_in(out) == ["a"] and "a.mp4" in (out / "index.html").read_text()


def test_a_list_that_nobody_reads_ends_in_silence(monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr(sys, "stdout", os.fdopen(writing, "w"))
    assert main_module.main(["--list-models"]) == 0
    sys.stdout.close()
    assert capfd.readouterr().err == ""


@pytest.fixture
def sigterm() -> Iterator[None]:
    """Restores the handling of interrupts."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_end_of_a_cluster_job_is_handled_as_an_interrupt(
    sigterm: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def terminate(*_: object) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        return 0

    monkeypatch.setattr(main_module, "_run", terminate)
    monkeypatch.setattr(main_module, "leave_out_start_up", lambda: None)  # it lasts
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


def test_a_folder_of_numbered_frames_is_one_clip(run: Run, out: Path, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for i, frame in enumerate(moving_square(18)):
        cv2.imwrite(str(tmp_path / "frames" / f"f_{i}.png"), frame)
    status, _, err = run("--clip", tmp_path / "frames", *QUICK)
    assert (status, err) == (0, "")
    assert len(stamps_seconds(out / "frames" / "annotated.mp4")) == 18


def test_untrained_weights_are_named_everywhere(run: Run, out: Path, sample_clip: Path) -> None:
    status, said, warned = run("--clip", sample_clip, *QUICK, "--weights", "none")
    words = "untrained network: the maps mean nothing"
    assert status == 0 and words not in said
    assert warned.splitlines() == [f"warning: {sample_clip}: {words}"]
    folder = out / sample_clip.stem
    assert words in (folder / "index.html").read_text()
    notes = json.loads((folder / "summary.json").read_text())["notes"]
    assert {"text": words, "kind": "warning"} in notes


def test_list_layers(run: Run, out: Path, sample_clip: Path) -> None:
    status, said, _ = run("--clip", sample_clip, *BUNDLED, "--list-layers")
    assert status == 0 and not out.exists()
    [line] = [line for line in said.splitlines() if line.startswith("layer4 ")]
    assert "(1, 128, 4, 4, 4)" in line and "<- default" in line and " 4, 4.0, " in line
    # Its ReLUs run several times, on outputs of several sizes.
    words = ("--model", "resnet50", "--weights", "none", "--size", 32, "--end", "0.2")
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
    ("name", "frames", "warning"),
    [
        ("armwrestling.mp4", 280, "what looks like a hard cut at 9.57 s"),
        ("newtonscradle.gif", 36, ""),
        ("applying_eye_makeup.avi", 164, ""),
    ],
)
def test_real_clips(name: str, frames: int, warning: str, run: Run, out: Path) -> None:
    status, _, err = run("--clip", SHARED / name, *BUNDLED, "--max-keyframes", "4")
    assert status == 0 and warning in err and err.count("\n") == bool(warning)
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
    words = " ".join(re.sub(r"<[^>]*>", " ", facts).split())
    assert words.startswith("predicted dash right 100% · explained grow 0.0 %")


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
        "--clip", sample_clip, *BUNDLED, *PLAIN, "--no-check", "--guided", "--smoothgrad",
        "--size", "32", "--end", "1.25",
    )  # fmt: skip
    assert (status, err) == (0, "")
    folder = out / sample_clip.stem
    saved = sorted(p.name for p in (folder / "guided").iterdir())
    assert saved == sorted(p.name for p in (folder / "keyframes").iterdir())
    assert len(saved) == 20
    picture = cv2.imread(str(folder / "guided" / saved[8]))
    assert picture.shape == (32, 3 * 32, 3)
    _, guided, product = np.split(picture.astype(int) - 128, 3, axis=1)
    assert 0 < np.count_nonzero(product) <= np.count_nonzero(guided)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["files"]["guided"][0] == "guided/000000.png"
    smooth = [cv2.imread(str(folder / name)) for name in summary["files"]["smoothgrad"]]
    assert len(smooth) == 20
    assert {picture.shape for picture in smooth} == {(32, 2 * 32, 3)}
    # The sprite dashes in the middle of the clip, not in the first frames.
    assert smooth[10][:, 32:].std() > 1.5 * smooth[0][:, 32:].std()


def test_options_of_maps_reach_the_explanation(run: Run, out: Path, sample_clip: Path) -> None:
    status, _, err = run(
        "--clip", sample_clip, *QUICK, "--method", "scorecam", "ablationcam", "eigencam",
        "--aug-smooth", "--aug-shift", "1", "--eigen-smooth", "--max-channels", "4", "--end", "1",
        "--size", "32",
    )  # fmt: skip
    assert (status, err) == (0, "")
    summary = json.loads((out / sample_clip.stem / "summary.json").read_text())
    assert [m["method"] for m in summary["maps"]] == ["scorecam", "ablationcam", "eigencam"]
    options = summary["options"]
    assert (options["max_channels"], options["aug_shift"], options["end"]) == (4, 1, 1.0)
    assert options["aug_smooth"] and options["eigen_smooth"]
