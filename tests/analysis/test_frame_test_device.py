"""The frame test on a device that is not the CPU: the CPU's result, and one wait for each batch."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import video_cam
from tests.support.media import moving_square, write_clip
from tests.support.networks import PoolLinear, seeded
from tests.support.stand_in import DEVICE, counted_waits, needs_stand_in
from video_cam.config import make_explain_config
from video_cam.explanation.explainer import explain_clip
from video_cam.pipeline import verify
from video_cam.video.clip import Clip

pytestmark = needs_stand_in


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = moving_square(5, 32, 32)
    return write_clip(tmp_path_factory.mktemp("clip") / "v.mp4", frames, time_base=Fraction(1, 8))


def frames_on(path: Path, device: str) -> tuple[dict[str, Any], list[str]]:
    given = {"num_frames": 5, "size": (16, 16), "frame_rate": 8}
    model = video_cam.load_model(seeded(PoolLinear).float(), device=device, **given)
    options = {"align": "half-pixel", "check": False, "frame_test": True, "batch_size": 16}
    config = make_explain_config(options)
    plain = explain_clip(Clip.open(path), model, config)
    with counted_waits() as waits:
        explanation = verify(Clip.open(path), model, plain, config)
    assert explanation.frame_test is not None
    return explanation.frame_test, list(waits)


def test_the_result_is_that_of_the_cpu_and_waits_are_few(path: Path) -> None:
    here, _ = frames_on(path, "cpu")
    there, waits = frames_on(path, DEVICE)
    for name in ("contributions", "score", "blank_score", "kept_share"):
        assert there[name] == pytest.approx(here[name], abs=1e-5), name
    assert there["sufficient_frames"] == here["sufficient_frames"]
    # For the two ends, and for all other sets; the search finds every set scored.
    assert len(waits) <= 2, waits
