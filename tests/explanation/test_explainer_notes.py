"""Clips and networks that something is wrong with: what the explanation says of it."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
import torch

import video_cam
from tests.support.explained_clips import assert_close, cams, explain
from tests.support.media import cut_file, damage_packets, moving_square, write_clip
from tests.support.networks import PoolLinear
from video_cam import ClipError
from video_cam.models import registry as models
from video_cam.models.registry import BUNDLED
from video_cam.models.weights import WeightsUnavailable
from video_cam.utils.notes import WARNING, Note


def test_the_network_that_stands_in_is_named_in_the_results(
    sample_clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_download(*_: object) -> None:
        raise WeightsUnavailable("no weights here")

    monkeypatch.setattr(models, "download", no_download)
    explanation = explain(sample_clip, video_cam.load_model())
    assert explanation.notes == (Note(models.STAND_IN, WARNING),)


def test_untrained_networks_are_noted(sample_clip) -> None:
    explanation = explain(sample_clip, video_cam.load_model(BUNDLED, "none"))
    assert explanation.notes == (Note("untrained network: the maps mean nothing", WARNING),)


class _EverySecond(PoolLinear):
    """Chooses frames by index, in which receptive-field arithmetic sees no stride."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x[:, :, torch.arange(0, x.shape[2], 2)])


def test_cells_that_are_spread_evenly_for_want_of_arithmetic_are_noted(sample_clip) -> None:
    model = video_cam.load_model(_EverySecond(), num_frames=8, size=(16, 16), frame_rate=8)
    told = "the strides and kernels in front of layer 'conv2' are not all known"
    for align, is_told in (("receptive-field", True), ("probe", False), ("half-pixel", False)):
        explanation = explain(sample_clip, model, layers=["conv2"], align=align)
        assert (
            any(note.text.startswith(told) and note.kind == WARNING for note in explanation.notes)
            == is_told
        )


def test_maps_without_positive_values_are_noted(sample_clip) -> None:
    model = video_cam.load_model(PoolLinear(), num_frames=4, size=(16, 16), frame_rate=8)
    torch.nn.init.constant_(model.module.fc.weight, -1.0)
    explanation = explain(sample_clip, model, methods=["hirescam"], class_ids=[0])
    assert not (explanation.maps[0].values > 0).any()
    assert any(
        note.text.startswith("no heat in the maps of class 0 (hirescam ")
        for note in explanation.notes
    )


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
    explanation = explain(path, bundled)
    num_frames = explanation.timeline.num_frames
    assert 5 < num_frames < 60
    assert explanation.frame_indices[-1, -1] == num_frames - 1
    # Matroska announces a duration, not a count.
    expected = rf"decoded {num_frames} of 6[01] frames: the file is incomplete"
    assert any(re.fullmatch(expected, note.text) for note in explanation.notes)


def test_frames_lost_in_the_middle_are_left_out_of_the_plan(bundled, tmp_path) -> None:
    path = write_clip(tmp_path / "hurt.mp4", 60, time_base=Fraction(1, 16), options={"g": "1"})
    damage_packets(path, [20, 21])
    explanation = explain(path, bundled)
    stamps = explanation.timeline.pts * explanation.timeline.time_base * 16
    assert stamps.tolist() == [*range(20), *range(22, 60)]
    assert explanation.frame_indices[-1, -1] == 57
    assert Note("2 damaged packets were skipped", WARNING) in explanation.notes
    [expected] = cams(path, explanation, bundled, targets=[explanation.maps[0].class_id])
    assert_close(explanation.maps[0].values, expected)


def test_weights_that_give_no_numbers_are_reported(sample_clip) -> None:
    model = video_cam.load_model(BUNDLED, "none")
    torch.nn.init.constant_(model.module.fc.weight, float("nan"))
    with pytest.raises(ClipError, match="not finite"):
        explain(sample_clip, model)
