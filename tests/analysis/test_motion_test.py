"""The motion test: closed forms, what it costs, and what it cannot be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import video_cam
from tests.support.explained_clips import PLAIN
from tests.support.explanations import make_explanation
from tests.support.networks import ImageNetwork, seeded
from video_cam import Classifier, Explanation
from video_cam.analysis.motion_maps import why_not_divided
from video_cam.analysis.motion_test import (
    best_frozen,
    check_applies,
    frozen_frames,
    motion_share,
    num_forwards,
    sentence,
)
from video_cam.analysis.window_input import read_input
from video_cam.choice_names import ATTENTION_METHOD_NAMES
from video_cam.config import ExplainConfig, make_explain_config
from video_cam.errors import CheckNotApplicable
from video_cam.perturbation.alterations import blurred_still, frozen
from video_cam.pipeline import explain_and_verify
from video_cam.video.clip import Clip

CLIP = Path(__file__).parents[2] / "clips" / "spin.mp4"
FRAMES = 8


class MeanOfFrames(nn.Module):
    """The mean over frames of scores of single frames."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 6, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.relu = nn.ReLU()
        self.fc = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.relu(self.features(x)).mean((2, 3, 4)))

    def features(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Differences(MeanOfFrames):
    """Sees nothing but differences between frames."""

    def features(self, x: Tensor) -> Tensor:
        return self.conv(x - x.roll(1, 2)) - self.conv.bias[:, None, None, None]


def at_hand(build: type[nn.Module]) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        module = build().eval()
    return video_cam.load_model(
        module, num_frames=FRAMES, frame_rate=16, size=(32, 32), mean=(0.5,) * 3, std=(0.5,) * 3
    )


def run(model: Classifier, clip: Path = CLIP, **options: Any) -> Explanation:
    config = make_explain_config(
        PLAIN | {"motion_test": True, "check": False, "layers": ("relu",)} | options
    )
    return explain_and_verify(Clip.open(clip), model, config)


@pytest.mark.parametrize(("build", "share"), [(MeanOfFrames, 0.0), (Differences, 1.0)])
def test_networks_whose_motion_share_is_known(build: type[nn.Module], share: float) -> None:
    explanation = run(at_hand(build))
    result = explanation.motion_test
    assert result is not None and result["motion_share"] == share
    motion, appearance = (np.asarray(one.values) for one in explanation.motion_maps.maps)
    whole = explanation.maps[0].values[list(explanation.motion_maps.windows)]
    # Each frame is a cell of this network, so the parts lie where the map does.
    by_motion = whole if share else np.zeros_like(whole)
    largest = np.abs(whole).max()
    np.testing.assert_allclose(motion, by_motion, atol=1e-5 * largest)
    np.testing.assert_allclose(appearance, whole - by_motion, atol=1e-5 * largest)
    if share:
        assert result["frozen_scores"] == pytest.approx([result["still"]] * FRAMES, abs=1e-5)


def test_a_network_that_scores_frames_one_by_one_cannot_see_motion() -> None:
    network = seeded(ImageNetwork).float()
    model = video_cam.load_model(
        network, num_frames=4, frame_rate=16, size=(32, 32), layout="frames"
    )
    assert run(model, layers=None).motion_test["motion_share"] == 0


@pytest.fixture(scope="module")
def tested(bundled: Classifier) -> tuple[Explanation, int]:
    """The motion test of a clip, and how many clips the network was given for it."""
    counted: list[int] = []
    options = {"layers": None}
    plain = run(bundled, motion_test=False, **options)

    def count(module: nn.Module, arguments: tuple[Tensor], output: Tensor) -> None:
        if arguments[0].device.type != "meta":  # only shapes are computed there
            counted.append(len(arguments[0]))

    hook = bundled.module.register_forward_hook(count)
    try:
        explanation = run(bundled, **options)
    finally:
        hook.remove()
    return explanation, sum(counted) - plain.num_windows


def test_the_scores_are_the_networks_own(tested: Any, bundled: Classifier) -> None:
    explanation, _ = tested
    result = explanation.motion_test
    window, class_id = result["window"], result["class_id"]
    assert window == explanation.class_scores(class_id).argmax()
    x = read_input(Clip.open(CLIP), bundled, explanation, window)
    versions = [x, *(frozen(16, frame)(x) for frame in range(16)), blurred_still()(x)]
    versions += [x.flip(1), x[:, torch.tensor([*range(4, 12)]).repeat_interleave(2)]]
    with torch.no_grad():
        logits = bundled.module(torch.stack(versions))
    own = (logits[:, class_id] - logits.mean(1)).numpy()
    found = [result["score"], *result["frozen_scores"], result["still"]]
    np.testing.assert_allclose([*found, result["reversed"], result["slow"]], own, atol=1e-3)
    assert result["frozen"] == pytest.approx(own[1:17].mean(), abs=1e-3)
    assert result["frozen_best"] == max(result["frozen_scores"])
    assert result["probabilities"]["score"] == pytest.approx(
        float(logits[0].softmax(0)[class_id]), abs=1e-4
    )
    assert result["frozen_frame_indices"] == explanation.frame_indices[window].tolist()
    assert result["standard_deviations"]["shuffled"] == np.std(result["shuffled_scores"])


def test_one_window_costs_24_forward_passes_with_its_maps(tested: Any) -> None:
    explanation, forwards = tested
    assert forwards == explanation.motion_test["forwards"] == num_forwards(16) == 24
    assert num_forwards(64) == 24 and num_forwards(8) == 16
    assert frozen_frames(4) == [0, 1, 2, 3]
    assert len(set(frozen_frames(64))) == 16 and frozen_frames(64)[::15] == [0, 63]


def test_the_parts_sum_to_the_map_and_the_appearance_part_to_the_frozen_scores(
    tested: Any, bundled: Classifier
) -> None:
    explanation, _ = tested
    series, parts = explanation.maps[0], explanation.motion_maps
    motion, appearance = parts.maps
    of_parts = explanation.of_parts()
    assert of_parts.num_windows == 1 and motion.layer == "layer4: motion"
    [window] = parts.windows
    for frame in range(16):
        seconds = float(explanation.sample_seconds[window, frame])
        alone = explanation.of_parts().blend(0)
        both = alone.at(motion.values, seconds) + alone.at(appearance.values, seconds)
        cells = series.centres.t
        expected = [
            np.interp(frame, cells, series.values[window][:, y, x])
            for y in range(4)
            for x in range(4)
        ]
        np.testing.assert_allclose(both.ravel(), expected, atol=1e-5)
    x = read_input(Clip.open(CLIP), bundled, explanation, window)
    with torch.no_grad():
        logits = bundled.module(torch.stack([frozen(16, frame)(x) for frame in range(16)]))
    sums = len(series.centres.t) * appearance.values[0].sum((1, 2)) + series.bias
    np.testing.assert_allclose(sums, logits[:, series.class_id], atol=1e-3)


@pytest.mark.parametrize(
    ("score", "frozen_score", "still", "share"),
    [
        (7.0, 1.0, 1.0, 1.0),
        (7.0, 0.5, 1.0, 1.0),
        (7.0, 4.0, 1.0, 0.5),
        (7.0, 8.0, 1.0, 0.0),
        (-5.0, -2.0, 1.0, 0.5),  # the clip lowers the score, half of it by its motion
        (2.0, 1.0, 2.0, None),
        (2.0, 2.0 - 1e-6, 1.0, 0.0),
    ],
)
def test_the_motion_share(
    score: float, frozen_score: float, still: float, share: float | None
) -> None:
    assert motion_share(score, frozen_score, still) == share


def test_the_frame_that_keeps_most_counts() -> None:
    assert best_frozen(7.0, [1.0, 3.0, 2.0], 0.0) == 3.0
    assert best_frozen(-7.0, [-1.0, -3.0, 2.0], 0.0) == -3.0


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((7.1, 0.4, 0.2, 0.97), "Without motion the score falls from 7.1 to 0.4: the network ans"),
        ((7.1, 7.1, 0.2, 0.0), "Without motion the score stays at 7.1: the network answers by wha"),
        ((4.0, 6.0, 1.0, 0.0), "Without motion the score rises from 4.0 to 6.0: the network answ"),
        ((4.0, 2.5, 1.0, 0.5), "Without motion the score falls from 4.0 to 2.5: the network uses"),
        ((4.0, 4.1, 4.0, None), "The score, 4.0, hardly differs from that of a blurred still pic"),
        ((4.0, 3.0, 3.5, 1.0), "The score, 4.0, hardly differs from that of a blurred still pict"),
        ((4.0, -1.8, 6.0, 0.0), "The score, 4.0, is below that of a blurred still picture, 6.0: "),
    ],
)
def test_the_sentence(numbers: Any, expected: str) -> None:
    assert sentence(*numbers).startswith(expected)


def test_the_sentence_has_probabilities_and_takes_values_of_functions() -> None:
    in_per_cent = sentence(7.1, 0.4, 0.2, 0.97, ["99%", "3%"])
    assert (
        "falls from 7.1 to 0.4 (probability 99% to 3%): the network answers by mot" in in_per_cent
    )
    of_function = sentence(-0.4, 0.1, 0.1, 1.0, is_class=False)
    expected = "Without motion the score rises from -0.4 to 0.1: it is motion that lowers it"
    assert of_function == expected
    # A frame alone lowers the score more: motion does matter, but is not needed to lower it.
    lower = sentence(0.0, -0.9, 0.7, 0.0, is_class=False)
    assert lower.endswith("what things look like lowers it, and hardly needs motion for that")


def brightness(output: Tensor) -> Tensor:
    return output[:, 0] - output[:, 1]


@pytest.mark.parametrize(
    ("options", "has_map"),
    [
        ({"targets": (brightness,)}, True),
        ({"targets": (brightness,), "class_ids": (1,)}, True),
        ({"class_scope": "window"}, True),
        ({"contrast": True}, True),
        ({"detail": "layers", "class_ids": (2, 0)}, True),
        ({"methods": ("eigencam",)}, False),
        ({"methods": ("scorecam",), "max_channels": 2}, False),
        ({"methods": ("occlusion",), "layers": None}, False),
        ({"fuse": "mean"}, False),
    ],
)
def test_other_targets_and_maps(options: dict[str, Any], has_map: bool, tmp_path: Path) -> None:
    explanation = run(at_hand(MeanOfFrames), **options)
    result = explanation.motion_test
    assert result is not None and (explanation.motion_maps is not None) == has_map
    assert [note for note in explanation.notes if note.text.startswith("no map of motion: ")] == [
        note for note in explanation.notes if "motion" in note.text
    ]
    assert any("no map of motion" in note.text for note in explanation.notes) != has_map
    if options.get("methods") == ("occlusion",):  # as of a network without gradients
        assert "take one gradient of the score" in " ".join(map(str, explanation.notes))
    assert len(result["others"]) == len({one.label for one in explanation.maps}) - 1
    assert result["motion_share"] == pytest.approx(0, abs=1e-5)
    assert (result["class_id"] is None) == ("targets" in options and "class_ids" not in options)
    explanation.save(tmp_path / "e.npz")
    loaded = Explanation.load(tmp_path / "e.npz")
    assert loaded.motion_test == result


def test_maps_of_attention_have_no_unit() -> None:
    for method in ATTENTION_METHOD_NAMES:
        assert "have no unit" in str(why_not_divided(method, ExplainConfig(methods=(method,))))


def test_a_clip_of_one_frame_keeps_its_other_results(bundled: Classifier, tmp_path: Path) -> None:
    np.save(tmp_path / "still.npy", np.full((1, 16, 16, 3), 99, np.uint8))
    explanation = run(bundled, tmp_path / "still.npy", layers=None)
    assert explanation.maps and explanation.motion_test is explanation.motion_maps is None
    texts = [note.text for note in explanation.notes]
    assert "no motion test: there is one frame, so there is no motion to take away" in texts


def test_networks_without_motion_to_take_away_are_refused(bundled: Classifier) -> None:
    flow = video_cam.load_model(
        nn.Sequential(nn.Conv3d(2, 3, 3), nn.AdaptiveAvgPool3d(1), nn.Flatten()),
        num_frames=4,
        size=(16, 16),
        channels="flow",
        mean=(0.5,),
        std=(0.5,),
    )
    with pytest.raises(CheckNotApplicable, match="frozen flow is still motion"):
        check_applies(flow, make_explanation())
    single = make_explanation(frame_indices=np.array([[0], [2]]))
    with pytest.raises(CheckNotApplicable, match="one frame at a time"):
        check_applies(bundled, single)
    assert ExplainConfig().motion_test is False
