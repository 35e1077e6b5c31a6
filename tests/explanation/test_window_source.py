"""Frames that are read in one process and explained in another: the same maps, read once."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import video_cam
from tests.support.media import damage_packets, moving_square, write_clip
from video_cam import Classifier
from video_cam.config import make_explain_config
from video_cam.explanation import clip_plan
from video_cam.explanation.explainer import explain_clip, explain_prepared
from video_cam.explanation.window_reader import NetworkInput
from video_cam.explanation.window_source import PreparedClip, prepare_clip
from video_cam.video.clip import Clip


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip whose packets announce more frames than decode."""
    path = write_clip(tmp_path_factory.mktemp("clips") / "damaged.mp4", moving_square(60))
    damage_packets(path, [20])
    return path


@pytest.mark.parametrize(
    "options",
    [{}, {"start": 0.5, "end": 1.5}, {"sampling": "uniform"}, {"top_k": 2, "batch_size": 1}],
    ids=str,
)
@pytest.mark.parametrize("kind", ["whole", "damaged"])
def test_prepared_frames_give_the_same_explanation(
    kind, options, sample_clip, damaged, bundled: Classifier, monkeypatch
) -> None:
    clip = Clip.open(sample_clip if kind == "whole" else damaged)
    config = make_explain_config({"align": "receptive-field", **options})
    expected = explain_clip(clip, bundled, config)
    prepared = pickle.loads(pickle.dumps(prepare_clip(clip, NetworkInput.of(bundled), config)))
    assert isinstance(prepared, PreparedClip)
    with monkeypatch.context() as without_files:
        without_files.setattr(Clip, "frames", None)
        without_files.setattr(clip_plan, "source_digest", None)
        given = explain_prepared(prepared, bundled, config)
    for a, b in zip(given.maps, expected.maps, strict=True):
        assert a.values.tobytes() == b.values.tobytes()
    assert given.probabilities.tobytes() == expected.probabilities.tobytes()
    np.testing.assert_array_equal(given.timeline.pts, expected.timeline.pts)
    assert prepared.clip.can_seek is (kind == "whole")  # False: the frames that really decode
    assert given.source_digest == expected.source_digest
    assert (given.notes, given.damage) == (expected.notes, expected.damage)


def test_a_clip_with_too_many_frames_is_not_prepared(sample_clip: Path, bundled) -> None:
    clip, config = Clip.open(sample_clip), make_explain_config({})
    network = NetworkInput.of(bundled)
    prepared = prepare_clip(clip, network, config)
    assert prepared is not None and prepared.pixels.dtype == np.uint8
    size = prepared.pixels.nbytes
    assert size == len(video_cam.explain(sample_clip, bundled).keyframes()) * 64 * 64 * 3
    assert prepare_clip(clip, network, config, size) is not None
    assert prepare_clip(clip, network, config, size - 1) is None


def test_scenes_are_sought_once(sample_clip: Path, bundled, monkeypatch) -> None:
    from video_cam.explanation import scenes
    from video_cam.explanation.sampling import FrameSpan

    parts = [FrameSpan(0, 10), FrameSpan(10, 32)]
    monkeypatch.setattr(scenes, "split_scenes", lambda *_: parts)
    config = make_explain_config({"split_scenes": True, "align": "receptive-field"})
    prepared = prepare_clip(Clip.open(sample_clip), NetworkInput.of(bundled), config)
    assert prepared is not None
    monkeypatch.setattr(scenes, "split_scenes", None)
    assert explain_prepared(prepared, bundled, config).scenes == ((0, 10), (10, 32))
