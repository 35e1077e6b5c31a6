"""The first pass: the right windows, the right classes, maps that equal compute_cams'."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import video_cam
from tests.support.media import cut_file, damage_packets, moving_square, read_frames, write_clip
from video_cam import Classifier, ClipError, Explanation, UsageError
from video_cam.explanation.notes import notes_on_maps
from video_cam.explanation.sampling import Window
from video_cam.explanation.window_reader import read_windows
from video_cam.models import registry as models
from video_cam.models.registry import BUNDLED
from video_cam.models.weights import WeightsUnavailable


def inputs(path: Path, explanation: Explanation, model: Classifier) -> torch.Tensor:
    """The network's inputs (W, 3, N, H, W), made from all frames at once."""
    frames = [frame.rgb() for frame in read_frames(path)]
    seen = [
        np.stack([model.preprocess.frame(frames[i]) for i in window])
        for window in explanation.frame_indices
    ]
    return model.preprocess.tensor(np.stack(seen))


def test_maps_are_those_of_compute_cams(explanation, bundled, sample_clip) -> None:
    x = inputs(sample_clip, explanation, bundled)
    expected = video_cam.compute_cams(
        bundled.module,
        x,
        layers=["layer4", "layer3"],
        methods=["gradcam", "layercam"],
        targets=[explanation.maps[0].class_id],
        align="probe",
    )
    assert len(explanation.maps) == len(expected) == 4
    for found, wanted in zip(explanation.maps, expected, strict=True):
        assert (found.layer, found.method) == (wanted.layer, wanted.method)
        np.testing.assert_allclose(found.values, wanted.values, rtol=1e-3, atol=1e-5)
        np.testing.assert_array_equal(found.centres.t, wanted.centres.t)


def test_predictions_are_the_mean_over_windows(explanation, bundled, sample_clip) -> None:
    x = inputs(sample_clip, explanation, bundled)
    with torch.no_grad():
        probabilities = bundled.module(x).softmax(1).mean(0)
    best = explanation.predictions(3)
    assert [p.class_id for p in best] == probabilities.topk(3).indices.tolist()
    assert [p.score for p in best] == pytest.approx(probabilities.topk(3).values.tolist(), rel=1e-4)
    assert best[0].label == sample_clip.stem.replace("_", " ")
    assert explanation.maps[0].class_id == best[0].class_id


def test_windows_end_on_the_last_frame(explanation) -> None:
    assert explanation.frame_indices[0].tolist() == list(range(16))
    assert np.diff(explanation.frame_indices[:, 0]).tolist() == [8, 8]
    assert explanation.frame_indices[-1, -1] == explanation.timeline.num_frames - 1 == 31


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"top_k": 2}, [0, 1]),
        ({"top_k": 2, "worst": True}, [0, 1, -1]),
        ({"class_ids": [5, "spin"]}, None),
    ],
)
def test_the_classes_asked_for(options, expected, bundled, sample_clip) -> None:
    found = video_cam.explain(sample_clip, bundled, **options)
    ranked = np.argsort(-found.probabilities.mean(0))
    wanted = [5, 6] if expected is None else [int(ranked[i]) for i in expected]
    assert [series.class_id for series in found.maps] == wanted
    for series in found.maps:
        again = video_cam.explain(sample_clip, bundled, class_ids=[series.class_id])
        np.testing.assert_allclose(series.values, again.maps[0].values, rtol=1e-3, atol=1e-5)


def test_batches_do_not_change_the_result(explanation, bundled, sample_clip) -> None:
    one_by_one = video_cam.explain(sample_clip, bundled, batch_size=1)
    np.testing.assert_allclose(
        one_by_one.maps[0].values, explanation.maps[0].values, rtol=1e-3, atol=1e-5
    )


def test_uniform_sampling_is_one_window(bundled, sample_clip) -> None:
    found = video_cam.explain(sample_clip, bundled, sampling="uniform")
    assert found.frame_indices.tolist() == [list(range(1, 32, 2))]


def test_a_part_of_the_clip(bundled, sample_clip) -> None:
    found = video_cam.explain(sample_clip, bundled, start=0.25, end=1.5)
    assert found.span == (4, 24)
    assert found.frame_indices[:, [0, -1]].tolist() == [[4, 19], [8, 23]]


def test_a_still_image_and_a_short_clip_say_that_they_are_padded(bundled, tmp_path) -> None:
    short = write_clip(tmp_path / "short.mp4", 5, time_base=Fraction(1, 16))
    found = video_cam.explain(short, bundled)
    assert found.frame_indices.tolist() == [[0, 1, 2, 3, *[4] * 12]]
    [note] = found.notes
    assert "5 of the 16 frames" in note


def test_the_network_that_stands_in_is_named_in_the_results(
    sample_clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_to_be_had(*_: object) -> None:
        raise WeightsUnavailable("no weights here")

    monkeypatch.setattr(models, "download", nothing_to_be_had)
    found = video_cam.explain(sample_clip, video_cam.load_model())
    assert found.notes == (models.STAND_IN,)


def test_a_map_without_heat_is_told(bundled, sample_clip) -> None:
    found = video_cam.explain(sample_clip, bundled)
    cold = [
        dataclasses.replace(found.maps[0], values=-np.ones_like(found.maps[0].values), label=label)
        for label in "abcd"
    ]
    assert not list(notes_on_maps(found.maps))
    [note] = notes_on_maps([*cold, *found.maps])
    assert note.startswith("no heat anywhere for a (gradcam layer4), b (gradcam layer4), c (")
    assert note.endswith(" and 1 more: nothing there speaks for it")


def test_untrained_networks_say_so(sample_clip) -> None:
    found = video_cam.explain(sample_clip, video_cam.load_model(BUNDLED, "none"))
    assert found.notes == ("untrained network: the maps mean nothing",)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_truncated_clip_gives_what_decodes_and_says_how_much(suffix, bundled, tmp_path) -> None:
    path = write_clip(
        tmp_path / f"cut.{suffix}",
        moving_square(60, 128, 96),
        time_base=Fraction(1, 16) if suffix == "mp4" else Fraction(1, 1000),
        pts=None if suffix == "mp4" else [round(62.5 * k) for k in range(60)],
        container_options={"movflags": "+faststart"} if suffix == "mp4" else None,
    )
    cut_file(path, 0.8)
    found = video_cam.explain(path, bundled)
    assert 5 < found.timeline.num_frames < 60
    assert found.frame_indices[-1, -1] == found.timeline.num_frames - 1
    # Matroska announces a duration, not a count.
    expected = rf"decoded {found.timeline.num_frames} of 6[01] frames: the file is incomplete"
    assert any(re.fullmatch(expected, note) for note in found.notes)


def test_frames_lost_in_the_middle_are_planned_around(bundled, tmp_path) -> None:
    path = write_clip(tmp_path / "hurt.mp4", 60, time_base=Fraction(1, 16), options={"g": "1"})
    damage_packets(path, [20, 21])
    found = video_cam.explain(path, bundled)
    assert found.timeline.num_frames <= 60
    assert found.frame_indices[-1, -1] == found.timeline.num_frames - 1
    assert any("damaged" in note for note in found.notes)


def test_weights_that_give_no_numbers_are_reported(sample_clip) -> None:
    model = video_cam.load_model(BUNDLED, "none")
    torch.nn.init.constant_(model.module.fc.weight, float("nan"))
    with pytest.raises(ClipError, match="not finite"):
        video_cam.explain(sample_clip, model)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": ["gradcam"]}, "unknown option 'method': did you mean methods"),
        ({"methods": ["gradcamm"]}, "did you mean gradcam"),
        ({"layers": ["layer9"]}, "unknown layer 'layer9'"),
        ({"sampling": "all"}, "windows, uniform"),
        ({"window_stride": 0}, "window_stride 0 must be above 0"),
        ({"start": 99.0}, "the clip runs from"),
        ({"class_ids": ["spinn"]}, "did you mean spin"),
        ({"methods": []}, "no method is named"),
        ({"start": float("nan")}, "start nan must be a finite number"),
        ({"end": float("inf")}, "end inf must be a finite number"),
    ],
)
def test_wrong_options(options, words, bundled, sample_clip) -> None:
    with pytest.raises(UsageError, match=words):
        video_cam.explain(sample_clip, bundled, **options)


def test_single_names_and_plain_numbers_are_taken_as_they_come(bundled, sample_clip) -> None:
    plain = video_cam.explain(
        sample_clip, bundled, methods="layercam", layers="layer3", class_ids=np.int64(2),
        frame_rate=8.0,
    )  # fmt: skip
    exact = video_cam.explain(
        sample_clip, bundled, methods=["layercam"], layers=["layer3"], class_ids=[2],
        frame_rate=Fraction(8),
    )  # fmt: skip
    np.testing.assert_array_equal(plain.maps[0].values, exact.maps[0].values)
    assert plain.frame_indices[0].tolist() == list(range(0, 32, 2))
    assert plain.options == exact.options


class CountedFrame:
    def __init__(self, index: int, converted: list[int]) -> None:
        self.index, self._converted = index, converted

    def rgb(self) -> np.ndarray:
        self._converted.append(self.index)
        return np.full((64, 64, 3), self.index, np.uint8)


def test_each_frame_is_converted_once_and_only_where_needed(bundled) -> None:
    converted: list[int] = []
    frames = (CountedFrame(i, converted) for i in range(20))
    windows = [Window((0, 2, 4)), Window((2, 4, 6)), Window((5, 6, 6))]
    found = list(read_windows(frames, windows, bundled.preprocess))
    assert converted == [0, 2, 4, 5, 6]
    assert [w[:, 0, 0, 0].tolist() for w in found] == [[0, 2, 4], [2, 4, 6], [5, 6, 6]]


def test_saved_and_loaded_it_is_the_same(explanation, tmp_path) -> None:
    explanation.save(tmp_path / "e.npz")
    again = Explanation.load(tmp_path / "e.npz")
    for name in ("clip", "model", "labels", "geometry", "span", "notes", "seconds", "options"):
        assert getattr(again, name) == getattr(explanation, name), name
    assert again.timeline.same_stamps(explanation.timeline)
    np.testing.assert_array_equal(again.frame_indices, explanation.frame_indices)
    np.testing.assert_array_equal(again.probabilities, explanation.probabilities)
    for a, b in zip(again.maps, explanation.maps, strict=True):
        assert (a.class_id, a.label, a.layer, a.method) == (b.class_id, b.label, b.layer, b.method)
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.centres.x, b.centres.x)
    assert [p.name for p in tmp_path.iterdir()] == ["e.npz"]


def test_loading_something_else_is_refused(tmp_path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.savez(tmp_path / "pickle.npz", meta=np.array([{}], dtype=object))
    for name in ("text.npz", "other.npz", "pickle.npz", "missing.npz"):
        with pytest.raises(UsageError):
            Explanation.load(tmp_path / name)
