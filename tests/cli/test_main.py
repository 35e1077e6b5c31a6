"""The command as a person types it, good and bad input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import run_video_cam
from tests.support.command import BUNDLED, ROOT, assert_one_error_line, command, results_in
from tests.support.media import cut_file, moving_square, stamps_seconds, write_clip, write_sound
from video_cam import load_model
from video_cam.batch.fingerprint import digest_of_weights, fingerprint
from video_cam.batch.inputs import clip_id, folder_names
from video_cam.cli import settings
from video_cam.config import ExplainConfig, RenderConfig


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], out: Path):
    """The command in this process: exit status, stdout, stderr."""

    def run_here(*arguments: object) -> tuple[int, str, str]:
        words = [*map(str, arguments), "--output-dir", str(out)]
        try:
            status = run_video_cam.main(words)
        except SystemExit as left:  # argparse's own way out
            status = int(left.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run_here


def test_a_person_types_the_command(sample_clip: Path, out: Path) -> None:
    done = command("--clip", sample_clip, *BUNDLED, "--use-cuda", "--save-dir", out)
    assert done.returncode == 0, done.stderr
    if not torch.cuda.is_available():
        assert done.stderr == "warning: there is no CUDA device; running on the CPU\n"
    assert done.stdout.splitlines()[-1].endswith(str(out / sample_clip.stem / "index.html"))
    summary = json.loads((out / sample_clip.stem / "summary.json").read_text())
    assert summary["predictions"][0]["label"] == sample_clip.stem.replace("_", " ")
    assert stamps_seconds(out / sample_clip.stem / "annotated.mp4") == stamps_seconds(sample_clip)


def test_several_clips_one_of_them_bad(run, out: Path, sample_clip: Path, tmp_path: Path) -> None:
    bad = tmp_path / "text.mp4"
    bad.write_text("this is no video")
    status, _, err = run("--clip", bad, sample_clip, *BUNDLED)
    assert status == 1
    assert err.splitlines()[0].startswith("error: ") and "text.mp4" in err
    assert "1 of 2 clips failed" in err and "Traceback" not in err
    assert results_in(out) == [sample_clip.stem]


def empty(path: Path) -> None:
    path.touch()


def truncated_to_nothing(path: Path) -> None:
    write_clip(path, 30)
    cut_file(path, 0.3)  # the index is at the end: nothing decodes


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (empty, "empty"),
        (lambda path: path.write_text("hello"), "bad.mp4"),
        (lambda path: write_sound(path), "only audio"),
        (truncated_to_nothing, "bad.mp4"),
    ],
    ids=["empty", "text", "audio only", "truncated"],
)
def test_a_clip_that_cannot_be_used(make, words: str, run, out: Path, tmp_path: Path) -> None:
    make(tmp_path / "bad.mp4")
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
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_wrong_argument(arguments, words, run, out: Path, sample_clip: Path) -> None:
    status, _, err = run("--clip", sample_clip, *BUNDLED, *arguments)
    assert_one_error_line(status, err, 2, words)
    assert results_in(out) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--modle", "r3d_18"], "unknown option --modle: did you mean --model"),
        (["--top_p=3"], "unknown option --top_p=3: did you mean --top-k"),
        (["--mean", "1", "2"], "argument --mean: expected 3 arguments"),
    ],
)
def test_a_wrong_option_is_one_line(words, message: str, run, sample_clip: Path) -> None:
    status, _, err = run("--clip", sample_clip, *words)
    assert status == 2 and message in err and err.count("\n") == 1


MOODY = """
from torch import nn

class Moody(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv3d(3, 4, 3, padding=1), nn.Linear(4, 2)

    def forward(self, x):
        if x.device.type != "meta" and x.any():
            raise ValueError("not\\ntoday")
        return self.fc(self.conv(x).mean((2, 3, 4)))
"""


def test_a_network_that_raises_on_real_frames(run, sample_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "moody.py").write_text(MOODY)
    words = ("--model", f"{tmp_path}/moody.py:Moody", "--num-frames", 4, "--size", 16)
    status, _, err = run("--clip", sample_clip, *words, "--align", "half-pixel")
    assert status == 1 and err.count("\n") == 1
    assert f"{sample_clip}: ValueError: not today (--debug shows where)" in err
    with pytest.raises(ValueError, match="not"):
        run("--clip", sample_clip, *words, "--align", "half-pixel", "--debug")


def test_an_unknown_model(run, sample_clip: Path) -> None:
    status, _, err = run("--clip", sample_clip, "--model", "r3d18")
    assert_one_error_line(status, err, 2, "did you mean r3d_18")


def test_labels_of_the_wrong_number(run, sample_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("a\nb\n")
    status, _, err = run("--clip", sample_clip, *BUNDLED, "--labels", tmp_path / "names.txt")
    assert_one_error_line(status, err, 2, "has 2 names, the network has 9 classes")


@pytest.mark.parametrize("kind", ["missing file", "empty folder", "glob without a match"])
def test_a_clip_that_is_not_there(kind: str, run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    path = {
        "missing file": tmp_path / "missing.mp4",
        "empty folder": tmp_path / "empty",
        "glob without a match": tmp_path / "*.mkv",
    }[kind]
    status, _, err = run("--clip", path, *BUNDLED)
    assert_one_error_line(status, err, 2, path.name)


def test_no_clip_at_all(run) -> None:
    status, _, err = run()
    assert_one_error_line(status, err, 2, "--clip")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_nobody_may_write_to(run, out: Path, sample_clip: Path) -> None:
    out.mkdir(mode=0o500)
    status, _, err = run("--clip", sample_clip, *BUNDLED)
    assert_one_error_line(status, err, 2, "cannot write to")


def test_an_output_folder_that_is_a_file(run, out: Path, sample_clip: Path) -> None:
    out.touch()
    status, _, err = run("--clip", sample_clip, *BUNDLED)
    assert_one_error_line(status, err, 2, "cannot write to")


def test_an_interrupt_leaves_nothing_half_written(out: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "long.mp4", moving_square(400, 640, 480))
    process = subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "run_video_cam.py"),
            "--clip",
            str(clip),
            *BUNDLED,
            "--output-dir",
            str(out),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A suite that runs in the background hands on that interrupts are ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(out.glob(".*.partial")):
        time.sleep(0.05)  # until the second pass has begun to write
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err and "interrupted" in err
    assert results_in(out) == [] and not list(out.glob("**/*.part*"))


def test_finished_results_are_kept_changed_ones_replaced(run, out, sample_clip) -> None:
    quick = ("--clip", sample_clip, "--max-keyframes", "1", *BUNDLED)
    summary = out / sample_clip.stem / "summary.json"

    def written_at(*more: str) -> tuple[int, str]:
        status, said, err = run(*quick, *more)
        assert (status, err) == (0, "")
        return summary.stat().st_mtime_ns, said

    first, _ = written_at()
    second, said = written_at()
    assert second == first and "nothing has changed" in said
    third, _ = written_at("--overwrite")
    assert third > first
    fourth, _ = written_at("--colormap", "jet")
    assert fourth > third
    (summary.parent / "annotated.mp4").unlink()
    fifth, _ = written_at("--colormap", "jet")
    assert fifth > fourth and (summary.parent / "annotated.mp4").exists()


def test_foreign_folders_are_not_replaced(run, out, sample_clip) -> None:
    (out / sample_clip.stem).mkdir(parents=True)
    (out / sample_clip.stem / "thesis.tex").touch()
    status, _, err = run("--clip", sample_clip, *BUNDLED, "--overwrite")
    assert_one_error_line(status, err, 2, "holds no results of video_cam")
    assert [p.name for p in (out / sample_clip.stem).iterdir()] == ["thesis.tex"]


def test_other_weights_make_another_fingerprint(bundled, sample_clip) -> None:
    digest = digest_of_weights(bundled.module)
    assert digest == digest_of_weights(load_model("motion3d").module)
    assert digest != digest_of_weights(load_model("motion3d", "none").module)
    marks = {
        fingerprint(sample_clip, bundled, weights, options, look)
        for weights in (digest, "other")
        for options in (ExplainConfig(), ExplainConfig(top_k=2))
        for look in (RenderConfig(), RenderConfig(alpha=0.1))
    }
    assert len(marks) == 8
    assert (
        fingerprint(sample_clip, bundled, digest, ExplainConfig(batch_size=9), RenderConfig())
        in marks
    )


def test_a_folder_of_clips_and_clips_of_one_name(run, out, sample_clip, tmp_path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(sample_clip, tmp_path / folder / "v.mp4")
    status, _, err = run(
        "--clip", tmp_path / "a", tmp_path / "b" / "*.mp4", *BUNDLED, "--max-keyframes", "1"
    )
    assert (status, err) == (0, "")
    assert results_in(out) == sorted(f"v-{clip_id(tmp_path / f / 'v.mp4')}" for f in "ab")


@pytest.mark.parametrize("name", ["...mp4", "a.b.mp4", "-dash.mp4", "sp ace%20'q.mp4", "é.mp4"])
def test_results_stay_inside_the_output_folder_whatever_the_name(name: str, tmp_path) -> None:
    [folder] = folder_names([tmp_path / name])
    assert (tmp_path / "out" / folder).resolve().parent == (tmp_path / "out").resolve()


def test_one_clip_too_short_for_the_start_does_not_stop_the_others(
    run, out, sample_clip, tmp_path
) -> None:
    short = write_clip(tmp_path / "short.mp4", 5)
    quick = ("--start", "1", "--frame-rate", "16", "--max-keyframes", "1", *BUNDLED)
    status, _, err = run("--clip", short, sample_clip, *quick)
    assert status == 1 and "no frame between 1.0 s and the end" in err
    assert results_in(out) == [sample_clip.stem]


def test_a_folder_of_numbered_frames_is_one_clip(run, out, tmp_path) -> None:
    import cv2

    (tmp_path / "frames").mkdir()
    for i, frame in enumerate(moving_square(18)):
        cv2.imwrite(str(tmp_path / "frames" / f"f_{i}.png"), frame)
    status, _, err = run("--clip", tmp_path / "frames", *BUNDLED)
    assert (status, err) == (0, "")
    assert len(stamps_seconds(out / "frames" / "annotated.mp4")) == 18


def test_untrained_weights_are_named_everywhere(run, out, sample_clip) -> None:
    status, said, _ = run(
        "--clip", sample_clip, *BUNDLED, "--weights", "none", "--max-keyframes", "1"
    )
    words = "untrained network: the maps mean nothing"
    assert status == 0 and words in said
    folder = out / sample_clip.stem
    assert words in (folder / "index.html").read_text()
    assert words in json.loads((folder / "summary.json").read_text())["notes"]


def test_list_layers_and_models(run, sample_clip) -> None:
    status, said, _ = run("--clip", sample_clip, *BUNDLED, "--list-layers")
    assert status == 0
    [line] = [line for line in said.splitlines() if line.startswith("layer4 ")]
    assert "(1, 128, 4, 4, 4)" in line and "<- default" in line and " 4, 4.0, " in line
    # Its ReLUs run several times, on maps of several sizes.
    words = ("--model", "resnet50", "--weights", "none", "--size", 64)
    status, said, _ = run("--clip", sample_clip, *words, "--list-layers")
    assert status == 0 and "layer4 " in said and "layer1.0.relu" not in said
    status, said, _ = run("--list-models")
    assert status == 0
    assert {line.split()[0] for line in said.splitlines()} >= {
        "r3d_18",
        "mc3_18",
        "r2plus1d_18",
        "s3d",
        "motion3d",
    }


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ((), "layer layer4 (4x4x4)"),
        (("--conv-backcount", 1, 2), "layers layer4.shortcut.0 (4x4x4), layer4.conv2 (4x4x4)"),
        (("--layer", "layer?"), "layers layer1 (16x16x16), layer2"),
        (("--layer", "layer3"), "on cpu\n"),
    ],
)
def test_the_layers_that_were_meant_are_shown(words, shown: str, run, sample_clip: Path) -> None:
    _, said, _ = run("--clip", sample_clip, *BUNDLED, *words, "--class-id", 0, "--no-check")
    assert shown in said


class Heard:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    warn = say


@pytest.mark.parametrize("supported", [True, False])
def test_bf16_is_not_imitated(supported: bool, bundled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "cpu_computes_bf16", lambda: supported)
    heard = Heard()
    found = settings.fitting(ExplainConfig(precision="bf16"), bundled, heard)
    assert found.precision == ("bf16" if supported else "fp32")
    assert heard.said == (
        [] if supported else ["this processor does not compute in bf16; running in fp32"]
    )
    assert settings.fitting(ExplainConfig(), bundled, heard) == ExplainConfig()


def test_several_layers_methods_and_classes_each_get_a_video(run, out, sample_clip) -> None:
    status, _, _ = run(
        "--clip",
        sample_clip,
        *BUNDLED,
        "--layer-name",
        "layer3",
        "layer4",
        "--method",
        "gradcam",
        "hirescam",
        "--class-id",
        "grow",
        "0",
        "--max-keyframes",
        "1",
    )
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
def test_real_clips(name: str, frames: int, run, out) -> None:
    status, _, err = run("--clip", SHARED / name, *BUNDLED, "--max-keyframes", "4")
    assert (status, err) == (0, "")
    annotated = out / Path(name).stem / "annotated.mp4"
    assert len(stamps_seconds(annotated)) == frames
    source = np.array(stamps_seconds(SHARED / name), float)
    drawn = np.array(stamps_seconds(annotated), float)
    np.testing.assert_allclose(drawn, source, atol=1e-9)


def test_another_class_than_the_predicted_one_is_told_apart(run, out, sample_clip) -> None:
    status, said, _ = run("--clip", sample_clip, *BUNDLED, "--class-id", "grow", "--no-check")
    assert status == 0 and "grow 0% (predicted dash right 100%)" in said
    [folder] = [path for path in out.iterdir() if path.is_dir() and path.name != ".locks"]
    facts = (folder / "index.html").read_text().split('class="facts">')[1].split("</p>")[0]
    assert "predicted dash right 100% · explained <strong>grow</strong>" in facts


def test_guided_pictures_stand_beside_the_keyframes(run, out, sample_clip) -> None:
    import cv2

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


def test_smoothing_and_perturbation_from_the_command(run, out, sample_clip) -> None:
    status, _, err = run(
        "--clip", sample_clip, *BUNDLED, "--method", "scorecam", "ablationcam", "eigencam",
        "--aug-smooth", "--aug-shift", "1", "--eigen-smooth", "--max-channels", "4", "--end", "1",
        "--max-keyframes", "1",
    )  # fmt: skip
    assert (status, err) == (0, "")
    summary = json.loads((out / sample_clip.stem / "summary.json").read_text())
    assert [m["method"] for m in summary["maps"]] == ["scorecam", "ablationcam", "eigencam"]
    assert summary["options"]["max_channels"] == 4
