"""Scores, strips and videos in TensorBoard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import video_cam
from tests.support.explanations import hostile_explanation
from tests.support.media import write_clip
from tests.support.pages import Rendered


class Recorder:
    """A writer that keeps what it is given, by tag."""

    def __init__(self) -> None:
        self.calls: dict[str, tuple] = {}

    def add_scalar(self, tag, value, step) -> None:
        self.calls[tag] = (value, step)

    def add_image(self, tag, image, step) -> None:
        self.calls[tag] = (image, step)

    def add_video(self, tag, video, step, fps) -> None:
        self.calls[tag] = (video, step, fps)


def test_tensorboard_gets_scores_strip_and_video(explanation, sample_clip) -> None:
    writer = Recorder()
    video_cam.to_tensorboard(writer, explanation, 7, frames=[4, 20], video=True)
    name, series = f"video_cam/{sample_clip.stem}", explanation.maps[0]
    assert set(writer.calls) == {
        f"{name}/score/{series.label}",
        f"{name}/maps",
        f"{name}/overlay",
    }
    score, step = writer.calls[f"{name}/score/{series.label}"]
    assert (score, step) == (explanation.score(series.class_id), 7)
    image, _ = writer.calls[f"{name}/maps"]
    assert image.shape[0] == 3 and image.dtype == np.uint8 and image.std() > 20
    video, _, rate = writer.calls[f"{name}/overlay"]
    assert video.shape == (1, 32, 3, 256, 256) and rate == 16
    (expected,) = Rendered(sample_clip, explanation, sample_clip).overlay([20])
    np.testing.assert_array_equal(video[0, 20].transpose(1, 2, 0), expected)


def test_torchs_own_writer_accepts_it(explanation, tmp_path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        video_cam.to_tensorboard(writer, explanation, 3, frames=2)
    events = EventAccumulator(str(tmp_path)).Reload()
    [score] = events.Scalars(events.Tags()["scalars"][0])
    assert score.step == 3
    assert score.value == pytest.approx(explanation.score(explanation.maps[0].class_id))
    assert len(events.Tags()["images"]) == 1


def test_hostile_names_are_tags_that_a_protocol_buffer_can_hold(tmp_path) -> None:
    explanation = hostile_explanation(write_clip(tmp_path / "\x1b[31m\udce9.mp4", 6))
    few = replace(explanation, maps=explanation.maps[::5])
    writer = Recorder()
    video_cam.to_tensorboard(writer, few, 3, frames=1)
    assert len(writer.calls) >= len(few.maps)
    tags = "".join(writer.calls)
    assert not {"\x1b", "\n", "\0", "\u202e"} & set(tags) and tags.encode()
    assert max(map(len, writer.calls)) < 250
