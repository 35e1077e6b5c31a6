"""Several details of one clip: kept apart from the windows to the file, the page and the figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.text import Text

import video_cam
from tests.support.explained_clips import explain
from tests.support.networks import PoolLinear
from video_cam import Classifier, Explanation
from video_cam.config import make_explain_config
from video_cam.rendering.annotated_video import video_names
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.page.map_data import describe_map
from video_cam.rendering.panels import PanelDrawer
from video_cam.rendering.summary import summarise
from video_cam.rendering.timeline_plot import timeline_plot

DETAILS = ("layers", "none", "input")
END = {"end": 1.0}  # seconds: one window


@pytest.fixture(scope="module")
def several(sample_clip: Path, bundled: Classifier) -> Explanation:
    return explain(sample_clip, bundled, detail=DETAILS, **END)


@pytest.mark.parametrize("detail", DETAILS)
def test_the_maps_of_each_detail_are_those_of_a_run_of_its_own(
    detail, several, sample_clip, bundled
) -> None:
    [expected] = explain(sample_clip, bundled, detail=detail, **END).maps
    [series] = [one for one in several.maps if one.detail == detail]
    assert type(series.values) is type(expected.values)
    assert series.centres.grid == expected.centres.grid
    np.testing.assert_allclose(series.values[0], expected.values[0], rtol=1e-4, atol=1e-5)
    assert series.bias == pytest.approx(expected.bias)
    for one, other in ((series.contributions, expected.contributions),):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_file_and_a_summary_tell_the_details(several, tmp_path) -> None:
    several.save(tmp_path / "e.npz")
    loaded = Explanation.load(tmp_path / "e.npz")
    assert [one.kind for one in loaded.maps] == [("layer4", "gradcam", d) for d in DETAILS]
    for one, other in zip(loaded.maps, several.maps, strict=True):
        np.testing.assert_array_equal(one.values[0], other.values[0])
    assert loaded.options["detail"] == list(DETAILS) and loaded.has_details
    assert [one["detail"] for one in summarise(loaded, [], [], [])["maps"]] == list(DETAILS)


def test_pictures_and_names_tell_the_details(several, sample_clip) -> None:
    maps = BlendedMaps(several)
    drawer = PanelDrawer(maps, video_cam.config.RenderConfig())
    frame = int(maps[0].mass.argmax())
    rows = drawer.draw(frame, np.zeros((256, 256, 3), np.uint8), with_heat=False)
    written = [row.caption.parts[-1] for row in rows]
    assert written == [f"gradcam layer4, detail {detail}" for detail in DETAILS]
    assert len({row.overlay.tobytes() for row in rows}) == 3
    assert video_names(several.maps)[1].endswith("_layer4_gradcam_detail-none.mp4")
    assert [describe_map(several, one)["detail"] for one in maps] == list(DETAILS)
    # The masses of different details have different units.
    assert len(timeline_plot(maps).panels[1].legend) <= 1
    figure = video_cam.figure(sample_clip, several, frames=[4], details=["input", "none"])
    texts = {text.get_text().split("\n")[-1] for text in figure.findobj(Text)}
    assert {"detail input", "detail none"} <= texts and "detail layers" not in texts


def test_a_layer_without_finer_ones_has_one_map_for_layers_and_none(sample_clip) -> None:
    torch.manual_seed(0)
    model = video_cam.load_model(PoolLinear(), num_frames=4, size=(16, 16), frame_rate=8)

    def kinds(**options):
        asked = {"detail": ("none", "layers"), "layers": ["conv1", "conv2"]} | END | options
        found = explain(sample_clip, model, **asked)
        return [(one.layer, one.detail) for one in found.maps], found.notes

    found, notes = kinds()
    assert found == [("conv1", "none"), ("conv2", "none"), ("conv2", "layers")]
    assert any("no layer before 'conv1' has a finer grid" in one.text for one in notes)
    # Both layers are in each of the fused maps.
    fused, _ = kinds(fuse="mean")
    assert fused == [("mean of conv1 and conv2", "none"), ("mean of conv1 and conv2", "layers")]
    assert kinds(layers=["conv1"])[0] == [("conv1", "none")]
    assert kinds(layers=["conv1"], fuse="mean")[0] == [("mean of conv1", "none")]


def test_a_contrast_has_the_detail_of_the_layer_alone(sample_clip, bundled) -> None:
    of_contrast = explain(sample_clip, bundled, detail=("layers", "input"), contrast=True, **END)
    assert [one.detail for one in of_contrast.maps] == ["none"]


def test_options_of_one_detail_are_written_as_before() -> None:
    assert make_explain_config({"detail": "input"}).as_json()["detail"] == "input"
    assert make_explain_config({"detail": ["input"]}).as_json()["detail"] == "input"
    assert make_explain_config({"detail": DETAILS}).as_json()["detail"] == list(DETAILS)
