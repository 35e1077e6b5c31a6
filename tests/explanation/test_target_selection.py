"""Classes over time: two actions in one file, windows by themselves, contrast, fused layers."""

from __future__ import annotations

import dataclasses
import importlib
import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import video_cam
from clips.make_clips import SAMPLES, draw_sample
from tests.support import media
from video_cam import Explanation, UsageError
from video_cam.attribution.input_gradients import guided_backprop
from video_cam.config import make_explain_config
from video_cam.explanation import keyframe_gradients
from video_cam.explanation.aggregation import FUSE, fused, window_subject
from video_cam.explanation.explainer import explain_with
from video_cam.explanation.explanation import MapSeries
from video_cam.explanation.sampling import Span, Window
from video_cam.explanation.scenes import CutHint, crossed, split_scenes
from video_cam.explanation.window_reader import plan_windows
from video_cam.layers.alignment import CellCentres
from video_cam.rendering.blended_maps import BlendedMap
from video_cam.rendering.image_files import save_image
from video_cam.video.clip import Clip
from video_cam.video.reader import read_frames
from video_cam.video.timeline import Timeline

FIRST, SECOND = list(SAMPLES)[:2]
LENGTH = 32  # frames of a sample


@pytest.fixture(scope="session")
def two_actions(tmp_path_factory) -> Path:
    """Two drawn clips one after the other, with a hard cut between them."""
    frames = [f for name in (FIRST, SECOND) for f in draw_sample(name).frames]
    path = tmp_path_factory.mktemp("two") / "two.mp4"
    return media.write_clip(path, frames, time_base=Fraction(1, 16), options={"crf": "10"})


@pytest.fixture(scope="session")
def both(two_actions, bundled) -> Explanation:
    ids = [SAMPLES[name][1] for name in (FIRST, SECOND)]
    return video_cam.explain(two_actions, bundled, class_ids=ids)


def mass(explanation: Explanation, index: int) -> np.ndarray:
    return BlendedMap(explanation, index).mass


def test_windows_end_where_their_scene_does(explanation: Explanation) -> None:
    assert explanation.frame_indices[:, 0].tolist() == [0, 8, 16]
    scenes = dataclasses.replace(explanation, scenes=((0, 20), (20, 32)))
    starts = dataclasses.replace(explanation, scenes=((0, 16), (16, 32)))
    for one, cut in ((scenes, 20), (starts, 16)):
        first = [w for w in range(3) if explanation.frame_indices[w, 0] < cut]
        for frame in range(32):
            found = {w for w, _, _ in one.blend().weights(frame / 16)}
            assert not found or (found <= set(first)) == (frame < cut)


def test_each_window_is_told_from_its_own_rival() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    best = window_subject(probabilities, 0, contrast=True)
    assert (best.class_ids, best.rivals) == ((0, 2), (1, 1))
    assert best.label == "each window's best class rather than its next"
    assert window_subject(probabilities, -1, contrast=False).label == "each window's worst class"


def test_each_class_lives_in_its_own_part(both: Explanation) -> None:
    for index, name in enumerate((FIRST, SECOND)):
        own = mass(both, index)
        start, end = (LENGTH * index + frame for frame in draw_sample(name).event)
        assert start <= own.argmax() < end
        part = own[LENGTH * index : LENGTH * (index + 1)].sum()
        assert part > 0.7 * own.sum()


def test_two_events_can_be_seen_in_the_timeline(both, two_actions, tmp_path) -> None:
    summary = video_cam.render(two_actions, both, tmp_path / "out")
    assert (tmp_path / "out" / "timeline.png").stat().st_size > 10_000
    windows = summary["windows"]
    assert all(len(window["targets"]) == 2 for window in windows)
    assert all(window["runner_up"]["score"] <= window["score"] for window in windows)
    first, last = windows[1], windows[-2]
    assert (first["label"], last["label"]) == tuple(SAMPLES[n][1] for n in (FIRST, SECOND))
    assert first["targets"][0] == pytest.approx(first["score"])
    assert any("hard cut at 2.00 s" in note for note in summary["notes"])


def test_each_window_by_its_own_class(two_actions, bundled, tmp_path) -> None:
    found = video_cam.explain(two_actions, bundled, class_scope="window")
    [series] = found.maps
    assert list(series.class_ids) == found.probabilities.argmax(1).tolist()
    np.testing.assert_allclose(found.window_scores(series), found.probabilities.max(1))
    for window, class_id in enumerate(series.class_ids):
        alone = video_cam.explain(two_actions, bundled, class_ids=[class_id])
        np.testing.assert_allclose(
            series.values[window], alone.maps[0].values[window], rtol=1e-3, atol=1e-5
        )
        if window == 1:
            break
    blended = BlendedMap(found, 0)
    labels = [blended.label(frame) for frame in (8, 48)]
    assert labels == [SAMPLES[n][1] for n in (FIRST, SECOND)]
    found.save(tmp_path / "e.npz")
    assert Explanation.load(tmp_path / "e.npz").maps[0].class_ids == series.class_ids


def test_contrast_is_the_map_of_the_difference(two_actions, bundled) -> None:
    found = video_cam.explain(two_actions, bundled, contrast=True)
    best, other = (p.class_id for p in found.predictions(2))
    [series] = found.maps
    assert series.class_id == best and " rather than " in series.label
    window = found.frame_indices[1]
    frames = [frame.rgb() for frame in read_frames(two_actions)]
    x = bundled.preprocess.tensor(np.stack([[bundled.preprocess.frame(frames[i]) for i in window]]))
    [expected] = video_cam.compute_cams(
        bundled.module,
        x,
        layers=["layer4"],
        targets=[lambda outputs: outputs[:, best] - outputs[:, other]],
    )
    np.testing.assert_allclose(series.values[1], expected.values[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"contrast": True, "methods": ["layercam"]}, "not layercam"),
        ({"contrast": True, "eigen_smooth": True}, "not those of eigen_smooth"),
        ({"class_scope": "window", "class_ids": [1]}, "leave class_ids out"),
        ({"class_scope": "frame"}, "video, window"),
        ({"fuse": "sum"}, "product, mean, max"),
    ],
)
def test_what_does_not_go_together_is_told(options, words, bundled, two_actions) -> None:
    with pytest.raises(UsageError, match=words):
        video_cam.explain(two_actions, bundled, **options)


def series(values: list, t: list[float], layer: str) -> MapSeries:
    array = np.array(values, np.float32)[None, :, None, None]
    return MapSeries(0, "a", layer, "gradcam", array, CellCentres(np.array(t), *[np.zeros(1)] * 2))


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        # Shares of the peak: coarse 0.5, 1; fine -0.5, 0, 1, 0.25; coarse at 0, 2, 4, 6 of 1 ... 5
        ("mean", [(0.5 - 0.5) / 2, (0.625 + 0) / 2, (0.875 + 1) / 2, (1 + 0.25) / 2]),
        ("max", [0.5, 0.625, 1, 1]),
        ("product", [0, 0, 0.875**0.5, 0.5]),
    ],
)
def test_fused_layers_by_hand(how: str, expected: list[float]) -> None:
    coarse = series([2, 4], [1, 5], "late")
    fine = series([-4, 0, 8, 2], [0, 2, 4, 6], "early")
    one = fused([coarse, fine], how)
    assert one.values[0, :, 0, 0].tolist() == pytest.approx(expected)
    assert one.centres.t.tolist() == [0, 2, 4, 6]
    assert how in one.layer and "late and early" in one.layer
    assert set(FUSE) == {"mean", "max", "product"}


def test_fused_layers_are_one_map(two_actions, bundled) -> None:
    found = video_cam.explain(two_actions, bundled, layers=["layer4", "layer3"], fuse="product")
    [one] = found.maps
    assert one.centres.grid == (8, 8, 8) and 0 < one.values.max() <= 1 and one.values.min() >= 0


def test_windows_keep_to_their_scene(two_actions, bundled) -> None:
    pytest.importorskip("scenedetect")
    found = video_cam.explain(two_actions, bundled, split_scenes=True)
    assert not [w for w in found.frame_indices if w[0] < LENGTH <= w[-1]]
    assert found.frame_indices[:, [0, -1]].tolist() == [
        [0, 15], [8, 23], [16, 31], [32, 47], [40, 55], [48, 63]
    ]  # fmt: skip
    assert "2 scenes; no window runs across a cut" in found.notes


def test_short_scenes_are_padded_and_counted(two_actions, bundled, monkeypatch) -> None:
    scenes = [Span(0, 10), Span(10, 2 * LENGTH)]
    module = importlib.import_module("video_cam.explanation.explainer")
    monkeypatch.setattr(module, "split_scenes", lambda *_: scenes)
    found = video_cam.explain(two_actions, bundled, split_scenes=True)
    assert found.frame_indices[0].tolist() == [*range(10), *[9] * 6]
    # What the detector leaves together is no matter of --split-scenes any more.
    assert [n for n in found.notes if "scenes" in n] == [
        "2 scenes; no window runs across a cut; 1 of them is shorter than a window"
    ]


@pytest.mark.parametrize(
    ("scenes", "rate", "lengths", "padded"),
    [
        ([Span(0, 10), Span(10, 58)], 16, [16, 16, 16, 16], [6, 0, 0, 0]),
        ([Span(0, 10), Span(10, 15)], 16, [15, 15], [5, 10]),
        ([Span(0, 48)], 240, [4, 4], [0, 0]),  # a fifth of a second
        ([Span(0, 1)], 16, [1], [0]),
    ],
)
def test_windows_of_frames_scored_one_by_one(scenes, rate, lengths, padded) -> None:
    timeline = Timeline(np.arange(58), Fraction(1, rate), 1)
    model = SimpleNamespace(framewise=True, num_frames=16, frame_rate=Fraction(16))
    windows = plan_windows(timeline, scenes, model, make_explain_config({}))
    assert [len(window.frame_indices) for window in windows] == lengths
    assert [window.num_padded for window in windows] == padded


def test_gradients_are_of_what_the_map_explains(two_actions, bundled, monkeypatch) -> None:
    def lead(outputs: torch.Tensor) -> torch.Tensor:
        return outputs[:, 0] - outputs[:, 1]

    def note(network, x, target):
        asked.append(target)
        return guided_backprop(network, x, target)

    asked: list = []
    monkeypatch.setattr(keyframe_gradients, "guided_backprop", note)
    clip = Clip.open(two_actions)
    for number, options in enumerate(({"class_scope": "window"}, {"targets": [lead]})):
        made = make_explain_config({"end": 2.5, **options})
        found = explain_with(str(two_actions), bundled, made)
        asked.clear()
        list(keyframe_gradients.keyframe_gradients(clip, bundled, found, ["guided"], made.targets))
        windows = len(found.frame_indices)
        assert asked == [lead] * windows if number else list(found.maps[0].class_ids)
        assert len(set(asked)) == (1 if number else 2)


def test_scenes_take_an_optional_package(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scenedetect", None)
    with pytest.raises(UsageError, match="pip install scenedetect"):
        split_scenes([], Span(0, 10), Fraction(25))


def test_the_hint_is_a_jump_that_stands_out() -> None:
    rng = np.random.default_rng(0)
    scenes = [rng.integers(0, 256, (24, 24, 3), dtype=np.uint8) for _ in range(2)]
    hint = CutHint()
    for index in range(20):
        hint.note(2 * index, np.roll(scenes[index >= 12], 0, axis=1))
    assert hint.cuts() == [24]
    two_frames = CutHint()  # which tell nothing of how fast things move
    for index in range(2):
        two_frames.note(index, scenes[index])
    assert two_frames.cuts() == []
    # Steady flicker is as large a change in every frame, and no cut.
    flicker = CutHint()
    for index in range(20):
        flicker.note(index, scenes[index % 2])
    assert flicker.cuts() == []
    windows = [Window((16, 18, 20, 22)), Window((24, 26, 28, 30))]
    assert crossed([24], windows) == []
    assert crossed([20, 24, 26], windows) == [20, 26]


def test_scores_of_every_window_are_in_the_summary(results: Path, explanation) -> None:
    windows = json.loads((results / "summary.json").read_text())["windows"]
    for window, scores in zip(windows, explanation.probabilities, strict=True):
        assert window["score"] == pytest.approx(float(scores.max()))
        assert window["runner_up"]["score"] == pytest.approx(float(np.sort(scores)[-2]))


def test_pictures_of_a_folder_are_seen_and_scored_one_by_one(tmp_path) -> None:
    pictures = [draw_sample(name).frames[0] for name in (FIRST, SECOND)]
    (tmp_path / "pictures").mkdir()
    for index in range(9):
        save_image(tmp_path / "pictures" / f"{index:02d}.png", pictures[index % 2])
    model = video_cam.load_model("resnet18", "none", size=(64, 64), num_frames=6)
    found = video_cam.explain(tmp_path / "pictures", model, align="probe")
    assert found.frame_indices.tolist() == [[0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8]]
    series = found.maps[0]
    alone = video_cam.explain(tmp_path / "pictures" / "01.png", model, class_ids=series.class_id)
    own = alone.maps[0].values[0, 0].ravel()
    instants = np.arange(9) / 25
    blended = found.blend().at(series.values, instants[3])  # the same picture
    assert blended is not None and np.corrcoef(blended.ravel(), own)[0, 1] > 0.9999
    blended_map, scores = BlendedMap(found, 0), found.scores_of_frames()
    shown = [blended_map.score(index) for index in range(9)]
    assert shown == pytest.approx([scores[index] for index in range(9)], rel=1e-4)
    assert len(np.unique(np.round(shown, 6))) == 2
