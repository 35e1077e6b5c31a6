"""What several tests of the first pass use: a clip of two actions, and its explanation."""

from __future__ import annotations

from pathlib import Path

import pytest

import video_cam
from tests.support.two_actions import FIRST_CLASS, SECOND_CLASS, write_two_actions
from video_cam import Classifier, Explanation


@pytest.fixture(scope="session")
def two_actions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drawn actions, one after the other, with a hard cut between them."""
    return write_two_actions(tmp_path_factory.mktemp("two") / "two.mp4")


@pytest.fixture(scope="session")
def both_classes(two_actions: Path, bundled: Classifier) -> Explanation:
    """The maps of both actions' classes over the whole clip."""
    return video_cam.explain(
        two_actions, bundled, class_ids=[FIRST_CLASS, SECOND_CLASS], align="receptive-field"
    )
