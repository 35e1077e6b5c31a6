"""The command with networks that give scores alone: the method that is taken, refusals, reuse."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Run
from tests.support.input_methods import quick_input_method
from tests.support.media import write_clip
from tests.support.onnx_networks import model, pool_linear, save
from video_cam.batch import network

TAKEN = "an ONNX network gives scores alone, and no method was named: occlusion is taken"
QUICK = ("--frame-rate", "8", "--max-keyframes", "1", "--no-check")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save(model(), tmp_path / "net.onnx")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", 6)


def test_an_onnx_file_gives_results_until_it_changes(
    run: Run, path: Path, clip: Path, out: Path, monkeypatch
) -> None:
    quick_input_method(monkeypatch, "occlusion")
    arguments = ("--clip", clip, "--model", path, *QUICK)
    status, printed, errors = run(*arguments, "--check", "--precision", "bf16")
    assert status == 0, errors
    lines = printed.splitlines()
    assert lines[0] == "model net.onnx (its own) on ONNX Runtime's CPUExecutionProvider"
    assert lines[1] == TAKEN and f"note: {TAKEN}" in printed
    assert errors == "warning: an ONNX network keeps its own precision: bf16 is left out\n"
    summary: dict[str, Any] = json.loads((out / "clip" / "summary.json").read_text())
    assert (
        summary["options"]["methods"] == ["occlusion"]
        and {"text": TAKEN, "kind": "information"} in summary["notes"]
    )
    assert [one["method"] for one in summary["maps"]] == ["occlusion"]
    assert "finished before" in run(*arguments, "--check")[1]
    save(model(network=pool_linear(1)), path)
    assert "finished before" not in run(*arguments, "--check")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--list-layers",), "an ONNX network gives scores alone and has no layers to list"),
        (("--method", "gradcam"), "gradcam needs a network's layers, and an ONNX network gives"),
        (("--layer", "conv1"), "layers names layers, and an ONNX network gives scores alone"),
        (("--sanity",), "sanity randomises layers, and an ONNX network gives scores alone"),
        (("--guided",), "guided computes gradients, and an ONNX network gives scores alone"),
        (("--detail", "input"), "detail input computes gradients"),
        (("--num-frames", "8"), "--num-frames 8 does not fit the network's input 'video'"),
        (("--device", "cuda"), "this ONNX Runtime has no CUDA: pip install onnxruntime-gpu"),
        (("--weights", "none"), "holds its weights itself: leave --weights out"),
    ],
)
def test_what_is_refused_is_one_line(
    words: tuple[str, ...], message: str, run: Run, path: Path, clip: Path, out: Path
) -> None:
    status, _, errors = run("--clip", clip, "--model", path, *QUICK, *words)
    assert status == 2 and len(errors.splitlines()) == 1
    assert message in errors
    assert not (out / "clip").exists()


def test_a_missing_package_is_one_line(run: Run, path: Path, clip: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for words in ((), ("--use-cuda",)):
        status, _, errors = run("--clip", clip, "--model", path, *words)
        assert status == 2
        assert errors.endswith("missing: pip install 'video-cam[onnx]' (or onnxruntime)\n")


def test_cuda_is_used_where_onnx_runtime_has_it(path: Path, monkeypatch) -> None:
    from tests.support.reporting import RecordingReporter
    from video_cam.batch.run_config import ModelConfig

    reporter = RecordingReporter()
    asked = ModelConfig(name=str(path), use_cuda=True)
    monkeypatch.setattr(network, "has_cuda", lambda name: False)
    assert network.choose_device(asked, reporter) == "cpu"
    [(level, message)] = reporter.messages
    assert level == "warning" and message.startswith("this ONNX Runtime has no CUDA")
    monkeypatch.setattr(network, "has_cuda", lambda name: True)
    assert network.choose_device(asked, reporter) == "cuda"
