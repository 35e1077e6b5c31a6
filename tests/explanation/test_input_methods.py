"""Clips explained by methods of the whole input: passes, saving, contrast, checks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import video_cam
from tests.support.input_methods import quick_input_method
from tests.support.media import write_clip
from tests.support.networks import seeded
from video_cam import Classifier, Explanation
from video_cam.attribution.input_maps import InputMaps
from video_cam.attribution.input_methods import INPUT_METHODS
from video_cam.attribution.method_inputs import TargetPass
from video_cam.config import ExplainConfig
from video_cam.explanation.clip_plan import plan_clip
from video_cam.metrics.perturbation_check import run_perturbation_check
from video_cam.metrics.randomization_check import run_randomization_check
from video_cam.pipeline import check_options
from video_cam.utils.progress import Step, silent
from video_cam.video.clip import Clip


class Flat(nn.Module):
    """Scores from one matrix: no layer has a grid."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.mean((3, 4)).flatten(1))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", 10)


@pytest.fixture
def model() -> Classifier:
    network = seeded(Flat).float()
    return video_cam.load_model(network, num_frames=4, frame_rate=16, size=(16, 16))


def test_what_was_there_a_moment_before_hides_nothing_of_a_still(model, path, tmp_path) -> None:
    np.save(tmp_path / "still.npy", np.full((1, 16, 16, 3), 99, np.uint8))
    options: dict[str, Any] = {"methods": ["occlusion"], "check": False}
    for clip, fill, has_reason in (
        (tmp_path / "still.npy", "before", True),
        (tmp_path / "still.npy", "mean", False),
        (path, "before", False),
    ):
        explanation = video_cam.explain(clip, model, fill=fill, **options)
        notes = " ".join(map(str, explanation.notes))
        assert ("fill before hides nothing" in notes) == has_reason
        assert not (has_reason and "nothing in the clip raises" in notes)


def test_a_clip_of_several_windows(path, model, monkeypatch, tmp_path) -> None:
    calls: list[Any] = quick_input_method(monkeypatch, "occlusion")

    def progress(stage: str, total: int) -> AbstractContextManager[Step]:
        calls.append(stage)
        return silent(stage, total)

    check_options(model, ExplainConfig(methods=("occlusion",)))
    found = video_cam.explain(
        path, model, methods=["occlusion"], top_k=2, batch_size=2, progress=progress
    )
    assert len(found.frame_indices) == 3
    # The scores of all windows first, then both classes of each batch: no map is made in vain.
    assert calls == ["explain", "explain", 2, 2]
    assert [(one.layer, one.method, one.detail) for one in found.maps] == [
        ("input", "occlusion", "none")
    ] * 2
    assert [one.class_id for one in found.maps] == [p.class_id for p in found.predictions(2)]
    for series in found.maps:
        assert series.bias is None and series.centres.grid == (2, 1, 2)
        np.testing.assert_allclose(series.values[:, 1, 0, 1], series.logits, rtol=1e-6)
    found.save(tmp_path / "saved.npz")
    again = Explanation.load(tmp_path / "saved.npz")
    assert again.maps[0].layer == "input" and again.maps[0].method == "occlusion"
    np.testing.assert_array_equal(again.maps[0].centres.t, found.maps[0].centres.t)


def test_named_classes_need_one_pass(path, model, monkeypatch) -> None:
    calls = quick_input_method(monkeypatch, "occlusion")
    video_cam.explain(path, model, methods=["occlusion"], class_ids=[1, 3, 4], batch_size=4)
    assert calls == [3]


def test_a_contrast_is_the_map_of_the_difference(path, model, monkeypatch) -> None:
    quick_input_method(monkeypatch, "occlusion")
    found = video_cam.explain(path, model, methods=["occlusion"], contrast=True)
    [series] = found.maps
    best, second = (one.class_id for one in found.predictions(2))
    logits = [
        video_cam.explain(path, model, methods=["occlusion"], class_ids=[one]).maps[0].logits
        for one in (best, second)
    ]
    np.testing.assert_allclose(series.values[:, 1, 0, 1], logits[0] - logits[1], atol=1e-5)
    assert not any("detail" in note.text for note in found.notes)


def test_both_checks_of_a_map_of_the_input(path, model, monkeypatch) -> None:
    quick_input_method(monkeypatch, "occlusion")
    config = ExplainConfig(methods=("occlusion",), class_ids=(2,), end=0.25)
    clip = Clip.open(path)
    found = video_cam.explain(path, model, methods=["occlusion"], class_ids=[2], end=0.25)
    sanity = run_randomization_check(clip, model, found, config)
    assert len(sanity["stages"]) == 1 and "randomised" in sanity["sentence"]
    with torch.no_grad():
        model.module.head.bias += 10
    assert run_perturbation_check(clip, model, found, config, always=True)["layer"] == "input"


def test_a_randomised_network_is_explained_with_the_same_options(path, model, monkeypatch) -> None:
    quick_input_method(monkeypatch, "occlusion")
    row, seen = INPUT_METHODS["occlusion"], []

    def compute(targets: Sequence[TargetPass]) -> InputMaps:
        seen.append([getattr(targets[0].config, name) for name in options])
        return row.compute(targets)

    monkeypatch.setitem(INPUT_METHODS, "occlusion", replace(row, compute=compute))
    options = {"fill": "before", "masks": 7, "mask_error": 0.3, "seed": 5, "precision": "bf16"}
    config = ExplainConfig(methods=("occlusion",), class_ids=(2,), end=0.25, **options)
    found = video_cam.explain(path, model, methods=["occlusion"], class_ids=[2], end=0.25)
    run_randomization_check(Clip.open(path), model, found, config)
    assert seen[-2:] == [[*options.values()]] * 2


def test_a_plan_without_layers(path, model) -> None:
    made = plan_clip(Clip.open(path), model, ExplainConfig(methods=("occlusion",)))
    assert made.map_keys == (("input", "occlusion", "none"),)
    assert made.model.layers == () and made.centres == {} and not made.detail_note
    asked = ExplainConfig(methods=("occlusion",), detail="input")
    assert plan_clip(Clip.open(path), model, asked).detail_note == (
        "detail input is for maps of layers: those of occlusion are without it"
    )
