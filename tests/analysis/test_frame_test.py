"""The frame test: closed forms, the network run by hand, what it costs, odd clips and networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import video_cam
from tests.support.explained_clips import PLAIN
from tests.support.random_state import random_states_kept
from video_cam import Classifier, Explanation
from video_cam.analysis.frame_test import MAX_FORWARDS, cost, most_forwards
from video_cam.analysis.window_input import read_input
from video_cam.config import make_explain_config
from video_cam.perturbation.alterations import held
from video_cam.pipeline import explain_and_verify
from video_cam.utils.notes import Note
from video_cam.video.clip import Clip

CLIP = Path(__file__).parents[2] / "clips" / "spin.mp4"


def falling(output: Tensor) -> Tensor:
    return -3 - output[:, 0] - output[:, 0] ** 2


class Network(nn.Module):
    """Scores frames one by one, and weighs them: (N, 3, T, H, W) -> (N, 3)."""

    def __init__(self, weigh: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 6, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.relu = nn.ReLU()
        self.fc = nn.Linear(6, 3)
        self.weigh = weigh

    def forward(self, x: Tensor) -> Tensor:
        of_frames = self.relu(self.conv(x)).mean((3, 4))  # (N, 6, T)
        return self.fc(self.weigh(of_frames))


def one_frame(frame: int) -> Callable[[Tensor], Tensor]:
    return lambda of_frames: 50 * of_frames[:, :, frame]


def changes(of_frames: Tensor) -> Tensor:
    return 50 * of_frames.diff(dim=2).abs().mean(2)


def nothing(of_frames: Tensor) -> Tensor:
    return 0 * of_frames.mean(2)


def network(weigh: Callable[[Tensor], Tensor], num_frames: int, score: str = "raw") -> Classifier:
    module = Network(weigh).eval()
    with torch.no_grad():  # class 0 is brightness, class 1 darkness
        module.conv.weight.fill_(1 / 27)
        module.conv.bias.fill_(1.0)
        module.fc.weight.copy_(torch.tensor([1.0, -1.0, 0.0])[:, None].expand(3, 6) / 60)
        module.fc.bias.zero_()
    options: dict[str, Any] = {"size": (16, 16), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    return video_cam.load_model(
        module, num_frames=num_frames, frame_rate=16, score=score, **options
    )


@pytest.fixture
def noise(tmp_path: Path) -> Callable[[int], Path]:
    """A function that writes a clip of dark frames that are all different, one of them bright."""

    def write(num_frames: int, bright: int = 2) -> Path:
        rng = np.random.default_rng(0)
        levels = rng.permutation(np.linspace(20, 120, num_frames))
        levels[min(bright, num_frames - 1)] = 235
        noise = rng.uniform(-20, 20, (num_frames, 16, 16, 3))
        frames = (levels[:, None, None, None] + noise).astype(np.uint8)
        np.save(tmp_path / f"{num_frames}.npy", frames)
        return tmp_path / f"{num_frames}.npy"

    return write


def run(model: Classifier, clip: Path, **options: Any) -> Explanation:
    given = PLAIN | {"frame_test": True, "check": False, "sampling": "uniform"} | options
    if isinstance(model.module, Network):
        given = {"layers": ("relu",)} | given
    return explain_and_verify(Clip.open(clip), model, make_explain_config(given))


def kept_by_hand(model: Classifier, x: Tensor, sets: list[Any]) -> np.ndarray:
    """float64 (sets, classes): logits of a window with only these of its frames."""
    with torch.no_grad():
        clips = [held(x.shape[1], one)(x) for one in sets]
        return model.module(torch.stack(clips)).double().numpy()


@contextmanager
def counted_clips(model: Classifier) -> Iterator[list[int]]:
    """How many clips the network is given at a time."""
    counted: list[int] = []

    def count(module: nn.Module, arguments: tuple[Tensor], output: Tensor) -> None:
        if arguments[0].device.type != "meta":  # only shapes are computed there
            counted.append(len(arguments[0]))

    hook = model.module.register_forward_hook(count)
    try:
        yield counted
    finally:
        hook.remove()


@pytest.mark.parametrize("frame", [0, 4])
def test_the_frame_that_the_network_reads_is_enough(noise: Any, frame: int) -> None:
    result = run(network(one_frame(frame), 6), noise(6, frame), class_ids=(0,)).frame_test
    assert result["sufficient_frames"] == [frame] and result["is_exact"]
    assert result["kept_share"] == pytest.approx(1, abs=1e-5)
    assert int(np.argmax(result["contributions"])) == frame
    assert "1 of 6 frames is enough for" in result["sentence"]


def test_contributions_are_the_mean_over_all_orders(noise: Any) -> None:
    model = network(changes, 5)
    explanation = run(model, noise(5), class_ids=(0,))
    result = explanation.frame_test
    x = read_input(Clip.open(noise(5)), model, explanation, 0)
    expected = np.zeros(5)
    for order in permutations(range(5)):
        values = kept_by_hand(model, x, [order[:size] for size in range(6)])[:, 0]
        expected[list(order)] += np.diff(values) / 120
    np.testing.assert_allclose(result["contributions"], expected, atol=1e-4)
    assert result["standard_errors"] == [0] * 5 and result["forwards"] == 32
    assert sum(expected) == pytest.approx(result["score"] - result["blank_score"], abs=1e-4)


@pytest.fixture(scope="module")
def tested(bundled: Classifier) -> tuple[Explanation, list[int]]:
    """The frame test of a clip of three windows, and what the network was given for it."""
    options = {"layers": None, "sampling": "windows"}
    with counted_clips(bundled) as counted, random_states_kept():
        explanation = run(bundled, CLIP, **options)
    return explanation, counted


def test_a_sample_of_orders_is_right_within_its_error(tested: Any, bundled: Classifier) -> None:
    explanation, _ = tested
    result, class_id = explanation.frame_test, explanation.maps[0].class_id
    window = int(explanation.class_scores(class_id).argmax())
    assert result["window"] == window and not result["is_exact"]
    frames = explanation.frame_indices[window].tolist()
    assert result["frame_indices"] == frames
    times = [float(explanation.timeline.pts_seconds(frame)) for frame in frames]
    assert result["pts_seconds"] == times
    total = sum(result["contributions"])
    assert total == pytest.approx(result["score"] - result["blank_score"], abs=1e-4)
    assert min(result["standard_errors"]) > 0
    x = read_input(Clip.open(CLIP), bundled, explanation, window)
    found = [frames.index(frame) for frame in result["sufficient_frames"]]
    smaller = [[one for one in found if one != left_out] for left_out in found]
    logits = kept_by_hand(bundled, x, [range(16), (), found, *smaller])
    own = logits[:, class_id] - logits.mean(1)
    np.testing.assert_allclose([result["score"], result["blank_score"]], own[:2], atol=1e-3)
    shown = torch.from_numpy(logits).softmax(1).numpy()[:, class_id]
    assert result["kept_share"] == pytest.approx(shown[2] / shown[0], abs=1e-4)
    assert result["kept_share"] >= 0.9 and logits[2].argmax() == class_id
    # Nothing can be left out.
    assert ((shown[3:] < 0.9 * shown[0]) | (logits[3:].argmax(1) != class_id)).all()


def test_what_it_costs_is_known_before(tested: Any) -> None:
    explanation, counted = tested
    windows = explanation.num_windows
    assert sum(counted) - 3 * windows == explanation.frame_test["forwards"] <= MAX_FORWARDS
    assert most_forwards(16) == most_forwards(64) == 150 and most_forwards(10) == 1024
    assert cost(16).startswith("frame test: at most 150 forward passes for the frames of")
    assert "64 forward passes" in cost(6) and cost(1) == (
        "frame test: 2 forward passes for each window of a clip that has several"
    )


def test_windows_add_up_to_the_clip(tested: Any, bundled: Classifier) -> None:
    explanation, _ = tested
    result, class_id = explanation.frame_test["windows"], explanation.maps[0].class_id
    own = []
    for window in range(explanation.num_windows):
        x = read_input(Clip.open(CLIP), bundled, explanation, window)
        logits = kept_by_hand(bundled, x, [range(16), ()])
        own.append(logits[:, class_id] - logits.mean(1))
    scores = np.array(own)
    expected = (scores[:, 0] - scores[:, 1]) / len(scores)
    np.testing.assert_allclose(result["contributions"], expected, atol=1e-3)
    difference = result["score"] - result["blank_score"]
    assert sum(result["contributions"]) == pytest.approx(difference, abs=1e-4)
    shown = explanation.class_scores(class_id)
    order = np.argsort(-shown)
    count = len(result["sufficient_windows"])
    assert result["sufficient_windows"] == sorted(order[:count].tolist())
    assert 0.9 <= result["kept_share"] <= 1 + 1e-6


@pytest.mark.parametrize("options", [{"targets": (falling,)}, {"class_ids": (0,)}])
def test_no_smaller_set_of_windows_is_enough(noise: Any, options: dict[str, Any]) -> None:
    clip, model = noise(30, 6), network(changes, 4, score="sigmoid")
    explanation = run(model, clip, sampling="windows", **options)
    result, target = explanation.frame_test["windows"], explanation.maps[0].target
    number, scores = explanation.num_windows, []
    for window in range(number):
        x = read_input(Clip.open(clip), model, explanation, window)
        logits = torch.from_numpy(kept_by_hand(model, x, [range(4), ()]))
        scores.append((falling(logits) if "targets" in options else logits[:, 0].sigmoid()).numpy())
    whole, blank = np.array(scores).T
    zero = blank.mean() if "targets" in options else 0.0
    assert explanation.label(target) == explanation.frame_test["label"] and number > 4

    def share(kept: tuple[int, ...]) -> float:
        mean = np.where(np.isin(range(number), kept), whole, blank).mean()
        return float((mean - zero) / (whole.mean() - zero))

    count = len(result["sufficient_windows"])
    assert share(tuple(result["sufficient_windows"])) == pytest.approx(result["kept_share"], 1e-4)
    assert count < number and result["kept_share"] >= 0.9
    best = max(share(kept) for kept in combinations(range(number), count))
    assert result["kept_share"] == pytest.approx(best, 1e-4)
    assert all(share(kept) < 0.9 for kept in combinations(range(number), count - 1))


def test_neighbours_are_grouped_where_there_are_too_many(noise: Any) -> None:
    model = network(one_frame(21), 40)
    with counted_clips(model) as counted:
        result = run(model, noise(40, 21), class_ids=(0,)).frame_test
    assert result["frames_per_group"] == 3 and len(result["contributions"]) == 40
    assert sum(counted) - 1 == result["forwards"] <= MAX_FORWARDS
    first, second, third = result["contributions"][:3]
    assert first == second == third
    difference = result["score"] - result["blank_score"]
    assert sum(result["contributions"]) == pytest.approx(difference, abs=1e-4)
    assert result["sufficient_frames"] == [21]  # also alone, without its group


def negative(output: Tensor) -> Tensor:
    return -output[:, 0].abs() - 3


def brightness(output: Tensor) -> Tensor:
    return output[:, 1] - output[:, 0]


@pytest.mark.parametrize("function", [negative, brightness])
def test_functions_may_be_negative_and_may_fall(
    noise: Any, function: Callable[[Tensor], Tensor]
) -> None:
    model = network(one_frame(2), 4)
    explanation = run(model, noise(4), targets=(function,))
    result = explanation.frame_test
    assert result["sufficient_frames"] == [2] and result["kept_share"] == pytest.approx(1, abs=1e-4)
    assert result["label"] == function.__name__
    assert "of the difference to a blurred still picture" in result["sentence"]


def test_scores_that_do_not_come_from_the_frames(noise: Any, tmp_path: Path) -> None:
    constant = run(network(nothing, 4), noise(4)).frame_test
    assert constant["contributions"] == [0] * 4 and constant["kept_share"] is None
    assert constant["sufficient_frames"] == []
    assert constant["sentence"].startswith("the frames do not raise the score of ")
    likely = run(network(nothing, 4, score="softmax"), noise(4)).frame_test
    assert likely["sufficient_frames"] == [] and likely["kept_share"] == 1
    assert "a blurred still picture keeps 100 % of the score" in likely["sentence"]


def test_no_frames_are_enough_for_a_class_whose_probability_they_lower(noise: Any) -> None:
    model = network(changes, 4, score="softmax")
    with torch.no_grad():
        model.module.fc.bias[2] = 0.5  # the class of a still picture
    result = run(model, noise(12), class_ids=(1,), sampling="windows").frame_test
    for tested in (result, result["windows"]):
        assert tested["score"] < tested["blank_score"] and tested["kept_share"] is None
    assert result["sufficient_frames"] == result["windows"]["sufficient_windows"] == []
    assert result["sentence"].startswith("the frames do not raise the score of ")


def test_a_window_that_repeats_frames_has_fewer_of_them(noise: Any) -> None:
    explanation = run(network(changes, 8), noise(3), sampling="windows", class_ids=(0,))
    assert explanation.frame_indices.shape == (1, 8)
    result = explanation.frame_test
    assert result["frame_indices"] == [0, 1, 2] and result["forwards"] == 8


def test_windows_of_one_frame_are_frames(noise: Any, tmp_path: Path) -> None:
    model = network(one_frame(0), 1, score="softmax")
    explanation = run(model, noise(5), sampling="windows")
    result = explanation.frame_test
    frames = explanation.frame_indices[:, 0].tolist()
    assert result["frame_indices"] == frames and len(frames) > 1
    assert result["contributions"] == result["windows"]["contributions"]
    assert result["forwards"] == 0 and len(result["sentence"].splitlines()) == 1
    scoped = run(model, noise(5), sampling="windows", class_scope="window")
    assert scoped.frame_test is None and "no frame test: the windows show one frame each" in (
        "; ".join(map(str, scoped.notes))
    )


def test_a_clip_of_one_frame_keeps_its_other_results(noise: Any, bundled: Classifier) -> None:
    explanation = run(bundled, noise(1), sampling="windows")
    assert explanation.maps and explanation.frame_test is None
    told = Note("no frame test: the network sees one frame of the clip, and needs it")
    assert told in explanation.notes


@pytest.mark.parametrize(
    "options",
    [
        {"class_scope": "window"},
        {"class_ids": (2, 0), "detail": "layers"},
        {"targets": (brightness,), "class_ids": (1,)},
        {"methods": ("occlusion",), "layers": None},
    ],
)
def test_other_targets_and_methods(noise: Any, options: dict[str, Any], tmp_path: Path) -> None:
    model = network(changes, 4, score="softmax")
    explanation = run(model, noise(9), sampling="windows", **options)
    result = explanation.frame_test
    assert result is not None and (result["windows"] is None) == ("class_scope" in options)
    assert result["label"] in {*explanation.labels, *explanation.functions}
    explanation.save(tmp_path / "e.npz")
    assert Explanation.load(tmp_path / "e.npz").frame_test == result
