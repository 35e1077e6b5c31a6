"""The bundled network that goes by appearance: one frame is enough for it, and movement is not."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors import safe_open

import video_cam
from models3d import CLASSES, EVENTS, load_trained, texture3d
from models3d.drawn_clips import draw_clip
from models3d.evaluation import evaluate, predict
from models3d.tasks import TASKS
from models3d.texture_clips import NO_TEXTURE, TEXTURE_CLASSES

TEXTURE = TASKS["texture3d"]
SEEDS = range(600, 664)


@pytest.fixture(scope="module")
def trained() -> texture3d.Texture3D:
    return texture3d.load_trained()


def test_weights_file_is_small_and_has_its_recipe() -> None:
    assert texture3d.WEIGHTS_FILE.stat().st_size < 3e6
    with safe_open(texture3d.WEIGHTS_FILE, "pt") as file:
        metadata = file.metadata()
    assert metadata["network"] == "texture3d" and int(metadata["held-out clips"]) >= 200


def test_accuracy_is_as_stated(trained: texture3d.Texture3D) -> None:
    with safe_open(texture3d.WEIGHTS_FILE, "pt") as file:
        metadata = file.metadata()
    accuracy = evaluate(trained, 48, "texture3d")
    assert accuracy["all"] == pytest.approx(float(metadata["accuracy all"]), abs=0.12)
    assert set(accuracy) == {"all", *TEXTURE_CLASSES}


def test_frozen_clips_keep_its_answer_and_take_motion3d_to_chance(
    trained: texture3d.Texture3D,
) -> None:
    frames, _, _ = TEXTURE.draw_batch(SEEDS[:48])
    frozen, _, _ = TEXTURE.draw_batch(SEEDS[:48], version="frozen")
    # Chance is 0.2.
    assert (predict(trained, frozen) == predict(trained, frames)).mean() > 0.8
    moving = [draw_clip(seed) for seed in SEEDS[:48]]
    truth = np.array([clip.class_id for clip in moving])
    motion = load_trained()
    assert (predict(motion, np.stack([clip.frames for clip in moving])) == truth).mean() > 0.9
    stills = np.stack([np.repeat(clip.frames[8:9], 16, axis=0) for clip in moving])
    # Chance is one of eight events; with 48 clips two standard errors are 0.1.
    assert (predict(motion, stills) == truth).mean() < 1 / len(EVENTS) + 0.1


def test_it_answers_to_the_texture_and_to_nothing_else(trained: texture3d.Texture3D) -> None:
    without, _, _ = TEXTURE.draw_batch(SEEDS[:32], version="without texture")
    assert (predict(trained, without) == NO_TEXTURE).mean() > 0.8
    frames, _, _ = TEXTURE.draw_batch(SEEDS[:32])
    backwards = frames[:, ::-1].copy()
    assert (predict(trained, backwards) == predict(trained, frames)).mean() > 0.85


def test_it_is_loaded_by_its_name() -> None:
    model = video_cam.load_model("texture3d")
    assert model.labels == TEXTURE_CLASSES and model.weights == "DRAWN_TEXTURE_V1"
    assert model.labels != CLASSES
