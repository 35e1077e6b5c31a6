"""Heat on the source's pixels: position, normalisation, the box that the network saw."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from video_cam import Explanation
from video_cam.rendering.blended_maps import BlendedMap
from video_cam.rendering.heat import HeatMapper, spatial_matrices
from video_cam.rendering.overlay import Palette, overlay

RATE = 16  # frames per second of the sample clip


def mapper_of(explanation: Explanation, normalize: str = "video") -> HeatMapper:
    """The first map of an explanation as heat."""
    return HeatMapper(BlendedMap(explanation, 0), explanation.geometry, normalize)


def with_values(explanation: Explanation, values: np.ndarray) -> Explanation:
    """The same explanation with one map of these values."""
    return replace(explanation, maps=(replace(explanation.maps[0], values=values),))


@pytest.mark.parametrize("cell", [(1, 1, 2), (2, 2, 1), (0, 1, 1)])
def test_heat_is_largest_at_the_cell_centre(cell, explanation) -> None:
    values = np.zeros_like(explanation.maps[0].values)
    values[(slice(None), *cell)] = 2.0
    mapper = mapper_of(with_values(explanation, values), "frame")
    centres = explanation.maps[0].centres
    frame = round(float(centres.t[cell[0]]))  # every frame is a sample
    heat = mapper.heat(frame)
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    assert heat.max() == pytest.approx(1, abs=0.05)
    # 256 pixels of the source are 64 of the input.
    for found, centre in ((y, centres.y[cell[1]]), (x, centres.x[cell[2]])):
        assert abs(found - ((centre + 0.5) * 4 - 0.5)) <= 1


def test_what_has_heat_one(explanation) -> None:
    values = np.zeros_like(explanation.maps[0].values)
    values[0], values[1], values[2] = 1.0, -3.0, 4.0
    graded = with_values(explanation, values)
    # The frames of which only the first and only the last window know, and one of the middle.
    peaks = {
        normalize: [float(mapper_of(graded, normalize).heat(frame).max()) for frame in (0, 16, 31)]
        for normalize in ("video", "window", "frame")
    }
    assert peaks["video"] == pytest.approx([0.25, 0, 1])
    assert peaks["frame"] == pytest.approx([1, 0, 1])
    assert peaks["window"] == pytest.approx([1, 0, 1])


def test_windows_are_normalised_by_the_mean_of_their_peaks(explanation) -> None:
    values = np.zeros_like(explanation.maps[0].values)
    values[0], values[1] = 1.0, 3.0
    values[:, :, 0] = 0.0  # the first row of cells has no heat
    graded = with_values(explanation, values)
    mapper = mapper_of(graded, "window")
    for frame in (9, 11):
        weights = {window: share for window, share, _ in graded.blend().weights(frame / RATE)}
        assert set(weights) == {0, 1} and 0 < weights[0] < 1
        # The blended value is the same mean of 1 and 3 as the peak.
        assert mapper.heat(frame).max() == pytest.approx(1)
        full = weights[0] + 3 * weights[1]
        assert mapper.blended.window_peaks[frame] == pytest.approx(full)


def test_a_map_without_positive_cells_has_no_heat(explanation) -> None:
    mapper = mapper_of(with_values(explanation, -np.ones_like(explanation.maps[0].values)))
    assert not mapper.blended.mass.any()
    assert mapper.heat(16).max() == 0


def test_the_box_is_what_the_network_saw_of_the_source(explanation) -> None:
    wide = replace(
        explanation.geometry,
        source_width=400,
        source_height=200,
        resized_width=128,
        resized_height=64,
        crop_left=32,
        crop_top=0,
    )
    rows, columns, box = spatial_matrices(wide, explanation.maps[0].centres)
    assert box == (100, 0, 300, 200)
    assert rows.shape[0] == 200 and columns.shape[0] == 200
    np.testing.assert_allclose(rows.sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize("size", [(256, 256), (333, 401)])
def test_coarse_heat_looks_like_the_heat_of_every_pixel(size, explanation) -> None:
    height, width = size
    geometry = replace(explanation.geometry, source_height=height, source_width=width)
    mapper = mapper_of(replace(explanation, geometry=geometry))
    fine, coarse = mapper.heat(16), mapper.coarse_heat(16)
    assert fine.shape == size and coarse.size < fine.size / 10 and fine.max() > 0.2
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    palette = Palette("inferno", 0.7)
    exact, drawn = (overlay(frame, heat, mapper.box, palette) for heat in (fine, coarse))
    difference = np.abs(exact.astype(int) - drawn)
    assert difference.mean() < 1 and np.quantile(difference, 0.999) <= 6


@pytest.mark.parametrize("cells", [7, 14, 28, 56, 112])
def test_fine_maps_are_drawn_with_all_their_cells(cells, explanation) -> None:
    """On a large frame the colours of the coarse heat are those of the heat of every pixel."""
    side = explanation.geometry.resized_height
    geometry = replace(explanation.geometry, source_height=720, source_width=720)
    series = explanation.maps[0]
    steps = len(series.centres.t)
    values = np.random.default_rng(4).random((len(series.values), steps, cells, cells))
    places = (np.arange(cells) + 0.5) * side / cells - 0.5
    fine_map = replace(
        series,
        values=values.astype(np.float32),
        centres=replace(series.centres, y=places, x=places),
    )
    mapper = mapper_of(replace(explanation, geometry=geometry, maps=(fine_map,)))
    heat, coarse = mapper.heat(16), mapper.coarse_heat(16)
    enlarged = cv2.resize(coarse, heat.shape[::-1], interpolation=cv2.INTER_LINEAR)
    assert np.abs(enlarged - heat).mean() < 0.02
    assert abs(enlarged.max() - heat.max()) < 0.1
    assert coarse.size < heat.size / 10 or cells > 28
