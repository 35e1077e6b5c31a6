"""Wrong settings of a run are reported when they are made."""

from __future__ import annotations

import pytest

from video_cam import UsageError
from video_cam.batch.run_config import RayConfig, RunConfig


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RunConfig(engine="spark"), "unknown engine 'spark'"),
        (lambda: RunConfig(log_level="loud"), "unknown log level 'loud'"),
        (lambda: RunConfig(time_limit=0), "time_limit 0 must be above 0"),
        (lambda: RayConfig(actor_cpus=0), "actor_cpus 0 must be above 0"),
    ],
)
def test_a_wrong_setting(make, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()
