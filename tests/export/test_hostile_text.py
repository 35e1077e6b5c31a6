"""Names, labels and notes with control characters and markup, in every format."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.explanations import hostile_explanation
from tests.support.media import write_clip
from video_cam import Explanation
from video_cam.export import to_coco, to_nifti, to_npz, to_rerun
from video_cam.rendering.renderer import render


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> tuple[Path, Explanation]:
    """Results of a clip with a hostile name, and their explanation with every fifth of the maps."""
    folder = tmp_path_factory.mktemp("hostile")
    whole = hostile_explanation(write_clip(folder / "\x1b[31m\udce9.mp4", 6))
    explanation = replace(whole, maps=whole.maps[::5], motion_maps=None)
    results = folder / "clip\x1b[31m\n"
    render(explanation.clip.path, explanation, results, max_keyframes=1)
    return results, explanation


def test_labels_are_kept_in_numbers_and_plain_in_names(hostile, output) -> None:
    results, explanation = hostile
    to_npz(results, output, grid="cells")
    files = sorted(output.rglob("*.npz"), key=lambda path: int(path.name.partition("_")[0]))
    assert all(path.name.isascii() and path.name.isprintable() for path in files)
    metas = [json.loads(str(np.load(path)["meta"])) for path in files]
    assert [meta["label"] for meta in metas] == [one.label for one in explanation.maps]


def test_coco_has_the_labels(hostile, output) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    results, explanation = hostile
    to_coco(results, output, frames=True)
    content = json.loads((output / "annotations.json").read_text())
    assert [c["name"] for c in content["categories"]] == [one.label for one in explanation.maps]


def test_nifti_has_the_labels(hostile, output) -> None:
    pytest.importorskip("nibabel", reason="nibabel is not installed")
    results, explanation = hostile
    to_nifti(results, output, maps=[1])
    [side] = [p for p in output.rglob("*.json") if p.name != "export.json"]
    assert json.loads(side.read_text())["label"] == explanation.maps[1].label


def test_rerun_takes_them(hostile, output) -> None:
    pytest.importorskip("rerun", reason="rerun-sdk is not installed")
    from rerun.chunk import RrdReader

    to_rerun(hostile[0], output)
    [path] = output.rglob("*.rrd")
    chunks = RrdReader(path).stream().to_chunks()
    assert {"/clip", "/about", "/scores/4"} <= {chunk.entity_path for chunk in chunks}
