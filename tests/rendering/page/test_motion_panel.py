"""The motion test on the page: its bars, and the two parts of the first map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import video_cam
from tests.support.browser import change, goto, read_canvas
from tests.support.explanations import MOTION_TEST
from tests.support.pages import HOSTILE
from video_cam import Explanation
from video_cam.explanation.map_series import MapParts
from video_cam.layers.alignment import CellCentres, interpolation_matrix

WINDOW = 1


@pytest.fixture
def tested(explanation: Explanation) -> Explanation:
    """A motion test whose parts are three quarters and one quarter of the map."""
    series = explanation.maps[0]
    positions = np.arange(16.0)
    cells = interpolation_matrix(series.centres.t, positions)
    whole = np.tensordot(cells, series.values[WINDOW], 1)[None]
    centres = CellCentres(positions, series.centres.y, series.centres.x)
    parts = tuple(
        replace(
            series,
            layer=f"{series.layer}: {name}",
            values=(share * whole).astype(np.float32),
            centres=centres,
            logits=None,
            bias=None,
            contributions=None,
        )
        for name, share in (("motion", 0.75), ("appearance", 0.25))
    )
    others = [{"label": HOSTILE, "sentence": "It needs no motion."}]
    result = MOTION_TEST | {"window": WINDOW, "label": HOSTILE, "others": others}
    return replace(explanation, motion_test=result, motion_maps=MapParts((WINDOW,), parts))


def test_the_page_shows_the_motion_test(
    tested: Explanation, sample_clip: Path, open_page: Any, tmp_path: Path
) -> None:
    video_cam.render(sample_clip, tested, tmp_path / "out", max_keyframes=2)
    page = open_page((tmp_path / "out" / "index.html").as_uri())
    assert MOTION_TEST["sentence"] in page.inner_text("header")
    explained = page.locator("#glossary dt[data-of]")
    places = explained.evaluate_all("terms => terms.map((term) => term.dataset.of)")
    for place in set(places) - {"label[for=detail]"}:  # there is one detail, so nothing to choose
        for one in page.locator(place).all():
            holder = one.evaluate_handle("one => one.control ?? one")
            assert holder.as_element().get_attribute("aria-describedby"), f"{place}: no explanation"
    page.hover("#motion-test")
    assert "best single frame" in page.inner_text("#explained")
    panel = page.locator("section.test[aria-labelledby=motion-test]")
    text = panel.inner_text()
    assert (
        f"Motion share of {HOSTILE}: 75\N{NO-BREAK SPACE}%" in text
        and "It needs no motion." in text
    )
    assert f"window 2 of {tested.num_windows}" in text
    rows = panel.locator("tbody tr").all_inner_texts()
    assert [row.split("\t")[0].strip() for row in rows] == [
        *("as it is", "one frame", "shuffled", "reversed", "half speed", "double speed"),
        "blurred still",
    ]
    assert "5.0" in rows[0] and "70%" in rows[0]
    # From -1 to 5, so that 0 is at a sixth.
    boxes = panel.locator("rect").evaluate_all(
        "all => all.map((r) => ['x', 'width'].map((n) => Number(r.getAttribute(n))))"
    )
    assert boxes[0] == [16.67, 83.33]
    assert boxes[1:3] == [[16.67, 25], [33.33, 16.67]]  # the mean, and from 1 to 2
    assert boxes[5] == [0, 16.67]  # reversed: below 0

    first = page.evaluate("videoCam.state").get("layer")
    layers = [first, f"{first}: motion", f"{first}: appearance"]
    own = list(dict.fromkeys(series.layer for series in tested.maps))
    assert page.locator("#layer option").all_inner_texts() == [*own, *layers[1:]]
    # Only the frames around the tested window are written: a long clip has no larger page for it.
    spans = page.evaluate("DATA.maps.map(({ first, stop }) => [first, stop])")
    assert spans[0] == [0, 32] and spans[-1] == [6, 26]
    frame = int(tested.frame_indices[WINDOW, 8])
    change(page, view="strip", dim=False, colormap="viridis")
    goto(page, frame)
    heats = []
    for layer in layers:
        change(page, layer=layer)
        heats.append(read_canvas(page, 1).astype(float))
    assert f"{first}: appearance" in page.inner_text("#stage")
    levels = [_level(heat) for heat in heats]
    # The scale is the map's: a quarter of it looks like a quarter, however heat is normalised.
    assert levels[2] < levels[1] < levels[0] and levels[2] < 0.5 * levels[0]
    change(page, normalize="frame")
    assert _level(read_canvas(page, 1).astype(float)) < 0.5 * levels[0]
    outside = int(tested.frame_indices[WINDOW, 0]) - 4
    goto(page, outside)
    assert page.inner_text("#moment") == "outside the window of the motion test"
    change(page, layer=first)
    assert "window 1" in page.inner_text("#moment")


def _level(heat: np.ndarray) -> float:
    """How far the brightest pixel is from the colour of no heat, of 255."""
    return float(np.abs(heat - heat.reshape(-1, 3)[0]).sum(-1).max())


def test_a_page_without_a_motion_test_has_no_panel(results: Path) -> None:
    assert "Motion test" not in (results / "index.html").read_text()
