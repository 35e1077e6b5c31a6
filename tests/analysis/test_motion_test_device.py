"""The motion test on a device that is not the CPU: the CPU's result, and few waits."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import video_cam
from tests.support.media import moving_square, write_clip
from tests.support.networks import PoolLinear, seeded
from tests.support.stand_in import DEVICE, counted_waits, needs_stand_in
from video_cam import Explanation
from video_cam.config import make_explain_config
from video_cam.explanation.explainer import explain_clip
from video_cam.pipeline import verify
from video_cam.video.clip import Clip

pytestmark = needs_stand_in

FRAMES = 4
# Of the frozen clips in one batch as of windows, and one for the scores of the other versions.
WAITS = 3 + 1


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = moving_square(8, 32, 32)
    return write_clip(tmp_path_factory.mktemp("clip") / "v.mp4", frames, time_base=Fraction(1, 8))


def explained_on(path: Path, device: str) -> tuple[Explanation, list[str]]:
    model = video_cam.load_model(
        seeded(PoolLinear).float(),
        device=device,
        num_frames=FRAMES,
        size=(16, 16),
        frame_rate=8,
    )
    options = {"align": "half-pixel", "check": False, "motion_test": True, "batch_size": FRAMES}
    config = make_explain_config(options)
    plain = explain_clip(Clip.open(path), model, config)
    with counted_waits() as waits:
        explanation = verify(Clip.open(path), model, plain, config)
    return explanation, list(waits)


def test_the_result_is_that_of_the_cpu_and_waits_are_few(path: Path) -> None:
    here, _ = explained_on(path, "cpu")
    there, waits = explained_on(path, DEVICE)
    assert 0 < len(waits) <= WAITS, waits
    numbers = ("score", "frozen", "shuffled", "reversed", "slow", "fast", "still")
    for name in numbers:
        assert there.motion_test[name] == pytest.approx(here.motion_test[name], abs=1e-5), name
    assert there.motion_maps is not None and here.motion_maps is not None
    for one, other in zip(there.motion_maps.maps, here.motion_maps.maps, strict=True):
        largest = np.abs(np.asarray(other.values)).max()
        np.testing.assert_allclose(one.values, other.values, atol=0.02 * largest)
