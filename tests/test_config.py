"""Fields of the configurations: NumPy's values work, values of another type are one line."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

import video_cam
from video_cam.attribution_config import AttributionConfig
from video_cam.config import (
    ExplainConfig,
    InputConfig,
    LimitsConfig,
    RenderConfig,
    make_explain_config,
)
from video_cam.errors import UsageError
from video_cam.models.registry import BUNDLED
from video_cam.utils import field_types
from video_cam.utils.field_types import MAX_SHOWN_LETTERS

CONFIGS = (LimitsConfig, InputConfig, AttributionConfig, ExplainConfig, RenderConfig)
FIELDS = [(kind, field.name) for kind in CONFIGS for field in fields(kind)]
WRONG = (
    *(object(), {"a": 1}, b"x", 1j, [[1]], [None], {None}, np.zeros((200, 3)), torch.zeros(2, 2)),
    *(float("nan"), -1, "", np.array(["x"] * 3), "a" * 999, [object()]),
)


def test_the_declared_types_of_a_class_are_evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ExplainConfig()
    monkeypatch.setattr(field_types, "get_type_hints", None)
    assert replace(config, top_k=2).top_k == 2
    with pytest.raises(UsageError, match="top_k 'two' must be a whole number or None"):
        replace(config, top_k="two")


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_a_wrong_value_of_any_field_is_taken_or_told_in_one_short_line(kind, name) -> None:
    num_told = 0
    for value in WRONG:
        try:
            kind(**{name: value})
        except UsageError as error:
            num_told += 1
            assert name in str(error) or "unknown" in str(error) or name == "layers"
            assert "\n" not in str(error) and len(str(error)) < 400
    assert num_told >= 7


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("bit_depth", np.int64(12), 12),
        ("top_k", torch.tensor(2), 2),
        ("start", np.float32(0.5), 0.5),
        ("start", np.int64(1), 1),
        ("end", np.array(2.5), 2.5),
        ("worst", np.bool_(True), True),
        ("class_ids", np.array([1, 2]), (1, 2)),
        ("class_ids", "jump", ("jump",)),
        ("class_ids", np.int32(3), (3,)),
        ("methods", np.array(["gradcam"]), ("gradcam",)),
        ("methods", "layercam", ("layercam",)),
        ("layers", ["layer4", np.int64(-1)], ("layer4", -1)),
        ("frame_rate", 29.97, Fraction(2997, 100)),
        ("frame_rate", np.float64(12.5), Fraction(25, 2)),
        ("frame_rate", Fraction(30000, 1001), Fraction(30000, 1001)),
    ],
)
def test_values_of_other_libraries_become_pythons(name: str, given: Any, kept: Any) -> None:
    found = getattr(make_explain_config({name: given}), name)
    assert found == kept and type(found) is type(kept)
    if isinstance(kept, tuple):
        assert list(map(type, found)) == list(map(type, kept))


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        (ExplainConfig, {"bit_depth": 12.0}, "bit_depth 12.0 must be a whole number or None"),
        (ExplainConfig, {"start": "1"}, "start '1' must be a number or None"),
        (ExplainConfig, {"video_stream": "0"}, "video_stream '0' must be a whole number or None"),
        (ExplainConfig, {"top_k": True}, "top_k True must be a whole number"),
        (ExplainConfig, {"worst": "no"}, "worst 'no' must be True or False"),
        (
            ExplainConfig,
            {"targets": "mean"},
            "targets 'mean' must be a list, each of it a",
        ),
        (ExplainConfig, {"methods": None}, "methods None must be a list, each of it a text"),
        (ExplainConfig, {"frame_rate": float("inf")}, "frame_rate inf must be a finite number"),
        (ExplainConfig, {"class_ids": np.zeros((50, 2))}, "class_ids (a ndarray of shape (50, 2))"),
        (AttributionConfig, {"masks": 1}, "masks 1 must lie between 2 and 100,000"),
        (AttributionConfig, {"masks": 10**9}, "must lie between 2 and 100,000"),
        (AttributionConfig, {"mask_error": 1.0}, "mask_error 1.0 must lie between 0 and 1"),
        (AttributionConfig, {"mask_error": float("nan")}, "mask_error nan must lie between"),
        (AttributionConfig, {"seed": -1}, "seed -1 must lie between 0 and 2**63 - 1"),
        (AttributionConfig, {"seed": 2**64}, "must lie between 0 and 2**63 - 1"),
        (AttributionConfig, {"fill": "grey"}, "unknown fill 'grey': choose one of blur, mean"),
        (InputConfig, {"size": 112}, "size 112 must be 2 values, each of them a whole number"),
        (InputConfig, {"size": (112, 112.5)}, "size (112, 112.5) must be 2 values"),
        (InputConfig, {"mean": (0, 0, float("nan"))}, "mean (0, 0, nan) must be finite"),
        (InputConfig, {"num_frames": 0}, "num_frames 0 must be above 0"),
        (InputConfig, {"frame_rate": -1}, "frame_rate -1 must be above 0"),
        (LimitsConfig, {"max_memory": "6G"}, "max_memory '6G' must be a whole number or None"),
        (LimitsConfig, {"max_frames": float("nan")}, "max_frames nan must be a whole number"),
        (RenderConfig, {"alpha": "0.5"}, "alpha '0.5' must be a number"),
        (RenderConfig, {"alpha": float("nan")}, "alpha nan must lie between 0 and 1"),
        (RenderConfig, {"figure": 1}, "figure 1 must be True or False"),
        (RenderConfig, {"colormap": ["hot"]}, "colormap ['hot'] must be a text"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(kind, values, words) -> None:
    with pytest.raises(UsageError) as caught:
        kind(**values)
    assert words in str(caught.value)


def test_a_long_wrong_value_is_shortened() -> None:
    with pytest.raises(UsageError) as caught:
        RenderConfig(alpha=[1.5] * 1000)
    assert len(str(caught.value)) < MAX_SHOWN_LETTERS + 40


def test_public_functions_tell_a_wrong_argument_in_one_line(explanation, sample_clip) -> None:
    pictures = np.zeros((4, 8, 8, 3), np.uint8)
    calls = {
        "the clip is (a ndarray": lambda: video_cam.figure(pictures, explanation),
        "the clip is '', expected a path": lambda: video_cam.render("", explanation, "x"),
        "the clip is 3, expected a path": lambda: video_cam.figure(3, explanation),
        "the output folder is None": lambda: video_cam.render(sample_clip, explanation, None),
        "the explanation is None": lambda: video_cam.figure(sample_clip, None),
        "the explanation is 'a.npz'": lambda: video_cam.render(sample_clip, "a.npz", "x"),
        "the explanation is 3": lambda: video_cam.to_tensorboard(None, 3),
        "the figure's file is 3": lambda: video_cam.figure(sample_clip, explanation, 3),
        "cannot write '/nowhere/a.png'": lambda: video_cam.figure(
            sample_clip, explanation, "/nowhere/a.png", frames=1
        ),
        "the file of the explanation is ''": lambda: explanation.save(""),
        "the file of the explanation is None": lambda: video_cam.Explanation.load(None),
        "the network is 3, expected": lambda: video_cam.load_model(3),
        "weights is [1], expected": lambda: video_cam.load_model(BUNDLED, [1]),
        "device 'gpu' cannot be used": lambda: video_cam.load_model(BUNDLED, device="gpu"),
    }
    for words, call in calls.items():
        with pytest.raises(UsageError) as caught:
            call()
        assert words in str(caught.value) and "\n" not in str(caught.value)
