"""Finer maps of a clip: those of tensors, stored in bytes, with what the layer's maps tell."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

import video_cam
from tests.support.explained_clips import cams, explain
from tests.support.networks import PoolLinear
from video_cam import Classifier, Explanation, UsageError
from video_cam.attribution.attributor import Attributor
from video_cam.config import make_explain_config
from video_cam.explanation.clip_plan import plan_clip
from video_cam.explanation.contributions import frame_contributions
from video_cam.explanation.explainer import explain_plan
from video_cam.explanation.network_plan import plan_network
from video_cam.explanation.quantised_maps import QuantisedMaps
from video_cam.explanation.window_runner import WindowRunner
from video_cam.layers.alignment import interpolate
from video_cam.video.clip import Clip

GRIDS = {"layers": (16, 16, 16), "input": (16, 32, 32)}
END = {"end": 1.5}  # seconds: two windows


@pytest.fixture(scope="module")
def detailed(sample_clip: Path, bundled: Classifier) -> dict[str, Explanation]:
    return {detail: explain(sample_clip, bundled, detail=detail, **END) for detail in GRIDS}


@pytest.mark.parametrize("detail", GRIDS)
def test_maps_are_those_of_compute_cams(detail, detailed, sample_clip, bundled):
    explanation = detailed[detail]
    [series] = explanation.maps
    assert series.detail == detail and series.centres.grid == GRIDS[detail]
    assert isinstance(series.values, QuantisedMaps)
    [expected] = cams(sample_clip, explanation, bundled, targets=[series.class_id], detail=detail)
    for window, values in enumerate(expected.numpy()):
        step = np.abs(values).max() / 127
        np.testing.assert_allclose(series.values[window], values, atol=0.51 * step)


def test_the_default_is_layers(bundled, sample_clip):
    explanation = video_cam.explain(sample_clip, bundled, align="half-pixel", end=1.0)
    assert explanation.maps[0].detail == explanation.options["detail"] == "layers"


@pytest.mark.parametrize("detail", GRIDS)
def test_batches_and_parts_do_not_change_the_maps(detail, detailed, sample_clip, bundled):
    config = make_explain_config({"align": "half-pixel", "detail": detail} | END)
    plan = plan_clip(Clip.open(sample_clip), bundled, config)

    def run_in_parts(indices, class_ids):
        for index in indices:  # one window at a time, as on several actors
            yield from WindowRunner(plan, bundled, config).run([index], class_ids)

    parts = explain_plan(plan, config, run_in_parts, time.perf_counter())
    series, whole = parts.maps[0].values, detailed[detail].maps[0].values
    assert np.abs(series.levels.astype(int) - whole.levels).max() <= 1
    np.testing.assert_allclose(series.scales, whole.scales, rtol=1e-4)


@pytest.mark.parametrize("detail", GRIDS)
def test_what_frames_add_to_the_logit_is_told_by_the_layers_own_maps(
    detail, detailed, sample_clip, bundled
):
    plain = explain(sample_clip, bundled, detail="none", **END)
    assert plain.maps[0].bias is not None
    assert detailed[detail].maps[0].bias == plain.maps[0].bias
    expected, found = frame_contributions(plain), frame_contributions(detailed[detail])
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-5)


def test_a_file_holds_the_bytes(detailed, tmp_path):
    detailed["layers"].save(tmp_path / "e.npz")
    [series] = Explanation.load(tmp_path / "e.npz").maps
    [saved] = detailed["layers"].maps
    assert series.detail == "layers" and series.values.levels.dtype == np.int8
    np.testing.assert_array_equal(series.values.levels, saved.values.levels)
    np.testing.assert_array_equal(series.contributions, saved.contributions)


@pytest.mark.parametrize(
    "damage",
    [
        {"map_0_scales": np.full(2, -1, np.float32)},
        {"map_0_scales": np.full(2, np.nan, np.float32)},
        {"map_0_scales": np.ones(3, np.float32)},
        {"map_0": np.zeros((2, 16, 16, 16), np.int16)},
        {"map_0": np.zeros((2, 16, 16, 15), np.int8)},
        {"map_0_contributions": None},
    ],
)
def test_a_damaged_file_is_refused(damage, detailed, tmp_path):
    path = tmp_path / "e.npz"
    detailed["layers"].save(path)
    with np.load(path) as file:
        arrays = dict(file) | damage
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(UsageError, match="is damaged"):
        Explanation.load(path)


def test_contrast_has_the_detail_of_the_layer_and_says_so(sample_clip, bundled):
    explanation = explain(sample_clip, bundled, detail="layers", contrast=True, **END)
    assert explanation.maps[0].detail == "none"
    assert explanation.maps[0].centres.grid == (4, 4, 4)
    assert any("contrast subtracts maps" in note.text for note in explanation.notes)


def test_a_layer_without_finer_ones_is_noted(sample_clip):
    torch.manual_seed(0)
    model = video_cam.load_model(PoolLinear(), num_frames=4, size=(16, 16), frame_rate=8)
    explanation = explain(sample_clip, model, detail="layers", layers=["conv1", "conv2"], **END)
    assert [one.detail for one in explanation.maps] == ["none", "layers"]
    assert any("no layer before 'conv1' has a finer grid" in one.text for one in explanation.notes)
    assert not any("conv2" in one.text for one in explanation.notes)


def test_fused_maps_stay_fine(sample_clip, bundled):
    [fused] = explain(
        sample_clip, bundled, detail="layers", layers=["layer4", "layer3"], fuse="product", **END
    ).maps
    assert isinstance(fused.values, QuantisedMaps) and fused.centres.grid == (16, 32, 32)
    assert 0 < fused.values.max() <= 1


def test_maps_of_one_frame(tmp_path, bundled, sample_clip):
    with Clip.open(sample_clip).frames() as reader:
        frame = next(iter(reader)).rgb()
    cv2.imwrite(str(tmp_path / "still.png"), frame)
    for detail, grid in GRIDS.items():
        [series] = explain(tmp_path / "still.png", bundled, detail=detail).maps
        assert series.centres.grid == grid and np.isfinite(np.asarray(series.values)).all()


class TwoPathways(nn.Module):
    """A slow pathway of two convolutions that take the middle of each kernel, and a fast one."""

    def __init__(self) -> None:
        super().__init__()
        self.fast = nn.Conv3d(3, 2, 1, (1, 4, 4))
        self.first = nn.Conv3d(3, 4, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False)
        self.second = nn.Conv3d(4, 4, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False)
        self.fc = nn.Linear(4, 2)
        for conv in (self.first, self.second):
            nn.init.zeros_(conv.weight)
            conv.weight.data[:, :, 0, 1, 1] = 1
        nn.init.zeros_(self.fast.weight)
        nn.init.ones_(self.fc.weight)

    def forward(self, x: list[torch.Tensor]) -> torch.Tensor:
        features = self.second(self.first(x[0])).mean((2, 3, 4))
        return self.fc(features) + self.fast(x[1]).mean((2, 3, 4))


@pytest.mark.parametrize("detail", GRIDS)
def test_the_map_of_a_slow_pathway_is_at_its_own_frames(detail):
    model = video_cam.load_model(
        TwoPathways(), num_frames=16, size=(64, 64), frame_rate=8, layout="list:4,1"
    )
    config = make_explain_config({"align": "half-pixel", "detail": detail})
    network = plan_network(model, (16, 64, 64), ["second"], config)
    x = torch.zeros(1, 3, 16, 64, 64)
    x[:, :, 10, 24:26, 40:42] = 1  # the slow pathway takes frames 0, 5, 10 and 15
    attributor = Attributor(
        model.module,
        network.layers,
        config.attribution(),
        unpack=network.folds,
        fields=network.fields,
        finer=network.finer,
        centres=network.centres,
    )
    found = attributor(x, [0])
    size = (16, 64, 64)
    [values] = found.maps.values()
    volume = interpolate(values, found.centres["second", "gradcam", detail], size, size)[0]
    t, y, x_ = np.unravel_index(int(volume.argmax()), size)
    assert t == 10 and abs(y - 24.5) <= 2 and abs(x_ - 40.5) <= 2
