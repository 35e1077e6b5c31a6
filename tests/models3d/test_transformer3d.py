"""The bundled video transformer, and what its attention shows of drawn clips."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors import safe_open

import video_cam
from models3d import transformer3d
from models3d.evaluation import evaluate
from models3d.light_clips import LIGHT_CLASSES
from models3d.tasks import TASKS
from video_cam.choice_names import ATTENTION_METHOD_NAMES
from video_cam.metrics import average_precision

SEEDS = range(600, 604)


@pytest.fixture(scope="module")
def trained() -> video_cam.Classifier:
    return video_cam.load_model("transformer3d")


def test_weights_file_is_small_and_accuracy_as_stated(trained: video_cam.Classifier) -> None:
    assert transformer3d.WEIGHTS_FILE.stat().st_size < 2e6
    with safe_open(transformer3d.WEIGHTS_FILE, "pt") as file:
        metadata = file.metadata()
    assert metadata["network"] == "transformer3d" and int(metadata["held-out clips"]) >= 200
    accuracy = evaluate(transformer3d.load_trained(), 24, "transformer3d")
    assert accuracy["all"] == pytest.approx(float(metadata["accuracy all"]), abs=0.12)
    assert set(accuracy) == {"all", *LIGHT_CLASSES} == {"all", *trained.labels}


def test_attention_finds_the_change_in_space_and_time(trained: video_cam.Classifier) -> None:
    """On clips of one change each; the untrained network's maps are at chance."""
    frames, class_ids, masks = TASKS["transformer3d"].draw_batch(SEEDS)
    x = trained.preprocess.tensor(frames)
    found = {}
    for network in (trained, video_cam.load_model("transformer3d", "none")):
        cams = video_cam.compute_cams(
            network.module, x, methods=ATTENTION_METHOD_NAMES, targets=[class_ids.tolist()]
        )
        for cam in cams:
            volumes = video_cam.upsample(cam, cam.input_size).numpy()
            values = [average_precision(*pair) for pair in zip(volumes, masks, strict=True)]
            found[cam.method, network.trained] = float(np.mean(values))
    for method, least in zip(ATTENTION_METHOD_NAMES, (0.4, 0.7, 0.6), strict=True):
        assert found[method, True] > least, found
        assert found[method, True] > 2 * found[method, False], found
