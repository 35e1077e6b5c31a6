"""Where is the text? Clips as files, and networks that know what red and blue are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support import text_networks as tiny
from tests.support.media import write_clip
from video_cam import Classifier, explain, load_model
from video_cam.config import ExplainConfig
from video_cam.explanation.own_texts import MAX_TEXTS, with_own_texts
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.utils.notes import Note

pytest.importorskip("transformers")

TEXTS = ("a red ball", "a blue ball")
SIDE, FRAMES, BLUE_FROM = tiny.SIDE, 16, 8
# (row, column) of each ball in a grid of 4 x 4 cells of 8 pixels.
PLACES = {"a red ball": (1, 1), "a blue ball": (3, 2)}


@pytest.fixture(scope="module")
def balls(tmp_path_factory) -> Path:
    """A red ball in all frames, and a blue one from BLUE_FROM on, on grey; 8 frames a second."""
    frames = []
    for index in range(FRAMES):
        frame = np.full((SIDE, SIDE, 3), 128, np.uint8)
        for text, colour in (("a red ball", (220, 40, 40)), ("a blue ball", (40, 40, 220))):
            row, column = (tiny.PATCH * cell for cell in PLACES[text])
            if text == "a red ball" or index >= BLUE_FROM:
                frame[row : row + tiny.PATCH, column : column + tiny.PATCH] = colour
        frames.append(frame)
    path = tmp_path_factory.mktemp("clips") / "balls.mkv"
    return write_clip(path, frames, time_base=Fraction(1, 8), codec="ffv1", pix_fmt="bgr0")


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """Kind -> folder of a network that finds red for one text and blue for the other."""
    made = {}
    for kind in ("CLIP", "Siglip", "XCLIP"):
        made[kind] = tmp_path_factory.mktemp(kind)
        tiny.save(kind, made[kind], tiny.hand_set(kind, *TEXTS))
        tiny.write_processor(made[kind])
    return made


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("CLIP", {}),
        ("CLIP", {"methods": "legrad"}),
        ("CLIP", {"methods": "hirescam"}),
        ("Siglip", {}),
        ("XCLIP", {}),
    ],
    ids=str,
)
def test_each_text_is_found_at_its_own_place_and_time(
    kind: str, options: dict[str, Any], balls: Path, folders: dict[str, Path]
) -> None:
    model = load_model(folders[kind], text=TEXTS, text_template="{}", num_frames=4, frame_rate=8)
    explanation = explain(balls, model, align="receptive-field", **options)
    assert explanation.labels == TEXTS
    assert [series.label for series in explanation.maps] == [*TEXTS]  # both, in their order
    for series, blended in zip(explanation.maps, BlendedMaps(explanation), strict=True):
        cells = np.array([blended.cells(index) for index in range(FRAMES)]).clip(min=0)
        assert cells.shape == (FRAMES, 4, 4)
        shown = cells[BLUE_FROM + 1 :].sum(0)  # both balls are there
        assert np.unravel_index(shown.argmax(), shown.shape) == PLACES[series.label]
        assert shown.max() > 0.9 * shown.sum()
        before = cells[: BLUE_FROM - 1].sum()
        assert series.label == "a red ball" or before < 0.01 * cells.sum()


def test_frames_have_their_own_scores(balls: Path, folders: dict[str, Path]) -> None:
    """Of CLIP; the clip's score is their mean."""
    model = load_model(folders["CLIP"], text=TEXTS, text_template="{}", num_frames=4, frame_rate=8)
    explanation = explain(balls, model, align="receptive-field")
    blue = explanation.maps[1]
    assert blue.frame_scores is not None and blue.logits is not None
    starts = explanation.frame_indices[:, 0]
    late = blue.frame_scores[starts >= BLUE_FROM]
    assert late.min() > blue.frame_scores[starts + 4 <= BLUE_FROM].max() + 0.2
    window = torch.randn(1, 3, 4, tiny.SIDE, tiny.SIDE)
    frames = model.module(window)
    assert frames.shape == (1, 4, 2)


# What is explained


@pytest.fixture
def many(folders: dict[str, Path]) -> Classifier:
    return load_model(folders["CLIP"], text=[f"text {i}" for i in range(MAX_TEXTS + 2)])


def test_all_texts_are_explained_up_to_a_number(folders: dict[str, Path], many) -> None:
    few = load_model(folders["CLIP"], text=TEXTS, text_negative=["rest"])
    model, config, note = with_own_texts(few, ExplainConfig())
    assert (model, config.class_ids, note) == (few, (0, 1), "")  # not what they are compared with
    model, config, note = with_own_texts(many, ExplainConfig())
    assert (config.class_ids, config.top_k) == ((), MAX_TEXTS)
    assert model.notes == (Note(note),) and note.startswith(
        f"the {MAX_TEXTS} texts with the best scores of"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"top_k": 1},
        {"class_ids": ("text 3",)},
        {"targets": (lambda output: output[:, 0],)},
        {"class_scope": "window"},
    ],
)
def test_what_is_asked_for_stays(many: Classifier, options: dict[str, Any]) -> None:
    config = ExplainConfig(**options)
    assert with_own_texts(many, config) == (many, config, "")


def test_other_networks_are_explained_as_before() -> None:
    model = load_model("motion3d")
    config = ExplainConfig()
    assert with_own_texts(model, config) == (model, config, "")
    assert config.num_best == 1
