"""A fingerprint changes with everything that changes a result, and with nothing else."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from tests.support.user_networks import SMALL_INPUT, write_networks
from video_cam import Classifier, load_model
from video_cam.batch.fingerprint import fingerprint, fingerprint_parts
from video_cam.config import ExplainConfig, RenderConfig


def digest(
    clip: Path,
    model: Classifier,
    weights: str = "weights",
    explain: ExplainConfig | None = None,
    render: RenderConfig | None = None,
) -> str:
    parts = fingerprint_parts(model, weights, explain or ExplainConfig())
    return fingerprint(clip, parts, render or RenderConfig())


def test_another_network_option_or_file_is_another_fingerprint(
    bundled: Classifier, sample_clip: Path, tmp_path: Path
) -> None:
    clip = Path(shutil.copy(sample_clip, tmp_path / "v.mp4"))
    digests = [
        digest(clip, bundled),
        digest(clip, bundled, weights="other weights"),
        digest(clip, replace(bundled, name="other")),
        digest(clip, replace(bundled, code="other")),
        digest(clip, replace(bundled, labels=bundled.labels[::-1])),
        digest(clip, replace(bundled, num_frames=8)),
        digest(clip, replace(bundled, frame_rate=Fraction(5))),
        digest(clip, replace(bundled, preprocess=replace(bundled.preprocess, std=(1, 1, 1)))),
        digest(clip, replace(bundled, score="raw")),
        digest(clip, bundled, explain=ExplainConfig(top_k=2)),
        digest(clip, bundled, explain=ExplainConfig(class_ids=("grow",))),
        digest(clip, bundled, render=RenderConfig(alpha=0.1)),
        digest(sample_clip, bundled),
    ]
    os.utime(clip, (0, 0))
    digests.append(digest(clip, bundled))
    assert len(set(digests)) == len(digests)


def test_another_input_of_a_network_is_another_fingerprint(
    sample_clip: Path, tmp_path: Path
) -> None:
    file = tmp_path / "inputs.py"
    network = f"{write_networks(tmp_path)}:make"
    digests = []
    for body in ("return clip", "return (clip,)"):
        file.write_text(f"def inputs(clip, path, times):\n    {body}\n")
        for options in ({}, {"channels": "bgr"}, {"value_range": 255}):
            made = load_model(network, input_factory=f"{file}:inputs", **SMALL_INPUT | options)
            digests.append(digest(sample_clip, made))
    assert len(set(digests)) == len(digests)


def test_the_batch_size_changes_nothing(bundled: Classifier, sample_clip: Path) -> None:
    larger = ExplainConfig(batch_size=9)
    assert digest(sample_clip, bundled, explain=larger) == digest(sample_clip, bundled)


def test_an_edited_target_function_is_another_fingerprint(
    bundled: Classifier, sample_clip: Path, tmp_path: Path
) -> None:
    digests = []
    for body in ("out[:, 0]", "out[:, 1]"):
        file = tmp_path / "target.py"
        file.write_text(f"def target(out):\n    return {body}\n")
        names: dict = {}
        exec(compile(file.read_text(), str(file), "exec"), names)
        digests.append(
            digest(sample_clip, bundled, explain=ExplainConfig(targets=(names["target"],)))
        )
    assert digests[0] != digests[1]


def test_a_folder_of_images_is_known_by_all_of_them(bundled: Classifier, tmp_path: Path) -> None:
    for name in ("0.png", "1.png"):
        (tmp_path / name).write_bytes(b"x")
    before = digest(tmp_path, bundled)
    assert digest(tmp_path, bundled) == before
    (tmp_path / "1.png").write_bytes(b"xy")
    assert digest(tmp_path, bundled) != before
