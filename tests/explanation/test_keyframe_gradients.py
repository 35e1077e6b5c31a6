"""Input gradients of each window: of its own frames, and of what the first map explains."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import video_cam
from tests.support.media import moving_square, write_clip
from tests.support.networks import PoolLinear
from video_cam import Classifier, Explanation
from video_cam.explanation import keyframe_gradients as module
from video_cam.explanation.keyframe_gradients import keyframe_gradients
from video_cam.video.clip import Clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Twelve frames at 8 per second."""
    path = tmp_path_factory.mktemp("clip") / "v.mp4"
    return Clip.open(write_clip(path, moving_square(12, 32, 32), time_base=Fraction(1, 8)))


@pytest.fixture(scope="module")
def model() -> Classifier:
    torch.manual_seed(0)
    return video_cam.load_model(PoolLinear(), num_frames=4, size=(16, 16), frame_rate=8)


def explain(clip: Clip, model: Classifier, **options: Any) -> Explanation:
    """Windows at frames 2, 4 and 6."""
    return video_cam.explain(clip.path, model, align="half-pixel", start=0.25, end=1.25, **options)


def margin(outputs: Tensor) -> Tensor:
    return outputs[:, 0] - outputs[:, 1]


@pytest.mark.parametrize(
    ("options", "functions"),
    [({"class_ids": [2]}, ()), ({"class_scope": "window"}, ()), ({"targets": [margin]}, [margin])],
)
def test_gradients_are_of_each_windows_frames_and_target(
    options, functions, clip: Clip, model: Classifier
) -> None:
    explanation = explain(clip, model, **options)
    assert explanation.frame_indices[:, 0].tolist() == [2, 4, 6]
    windows = list(
        keyframe_gradients(clip, model, explanation, ["guided", "smoothgrad"], functions)
    )
    series = explanation.maps[0]
    pictures = clip.frames_at(range(12))
    for number, (frame_indices, window) in enumerate(
        zip(explanation.frame_indices.tolist(), windows, strict=True)
    ):
        frames = np.stack([model.preprocess.frame(pictures[i]) for i in frame_indices])
        np.testing.assert_array_equal(window.frames, frames)
        x = model.preprocess.tensor(frames[None])
        own = series.class_ids[number] if series.class_ids else series.class_id
        target = margin if functions else own
        guided, guided_cam = window.gradients["guided"]
        expected = video_cam.guided_backprop(model.module, x, target)[0]
        np.testing.assert_allclose(guided, expected, atol=1e-6)
        assert guided.shape == guided_cam.shape == (3, 4, 16, 16)
        # The guided map is the gradient times heat in [0, 1], the largest of all windows being 1.
        assert (guided_cam.abs() <= guided.abs() + 1e-6).all()
        expected = video_cam.smooth_gradient(model.module, x, target, samples=module.NOISY_COPIES)
        [smooth] = window.gradients["smoothgrad"]
        np.testing.assert_allclose(smooth, expected[0], atol=1e-5)


def test_each_windows_own_class_is_used(clip, model, monkeypatch) -> None:
    asked: list[Any] = []

    def note(model: Classifier, x: Tensor, target: Any, heat: Tensor) -> list[Tensor]:
        asked.append(target)
        return [x[0]]

    monkeypatch.setitem(module.GRADIENTS, "guided", note)
    explanation = explain(clip, model, class_scope="window")
    series = explanation.maps[0]
    own = video_cam.Explanation(
        **vars(explanation) | {"maps": (_with_class_ids(series, (3, 1, 0)),)}
    )
    assert len(list(keyframe_gradients(clip, model, own, ["guided"]))) == 3
    assert asked == [3, 1, 0]


def _with_class_ids(series: Any, class_ids: tuple[int, ...]) -> Any:
    return type(series)(**vars(series) | {"class_ids": class_ids})
