"""The ground truth on a clip's page: its class, and the event in the timeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.browser import read_canvas
from tests.support.hostile import TEXTS
from video_cam import Explanation
from video_cam.config import RenderConfig
from video_cam.evaluation.clip_answer import clip_answer
from video_cam.rendering.page import truth_outlines
from video_cam.rendering.page.truth_outlines import outlines_of
from video_cam.rendering.renderer import render_with
from video_cam.truth.clip_truth import Box, ClipTruth, Mask
from video_cam.video.clip import Clip

# Columns of the timeline in whose middle the colour of the ground truth is.
MARKED = """() => {
  const { canvas, scale, bar } = app.scrub;
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(bar).getPropertyValue("--truth");
  const colour = context.fillStyle.match(/[0-9a-f]{2}/g).map((c) => parseInt(c, 16));
  const row = context.getImageData(0, TRUTH_TOP + 2, canvas.width, 1).data;
  const hits = [];
  for (let x = 0; x < canvas.width; x++)
    if (colour.every((c, i) => row[4 * x + i] === c)) hits.push(x / canvas.width);
  return hits;
}"""


def write_page(sample_clip: Path, explanation: Explanation, truth: ClipTruth, folder: Path) -> Path:
    entries = {"truth": clip_answer(explanation, truth)}
    config = RenderConfig(max_keyframes=1)
    render_with(
        Clip.open(sample_clip),
        explanation,
        folder,
        config,
        extra_summary=entries,
        masks=truth.masks,
    )
    return folder / "index.html"


def test_the_event_is_in_the_timeline_and_the_class_above(
    open_page: Callable[..., Any], explanation: Explanation, sample_clip: Path, tmp_path: Path
) -> None:
    names = list(explanation.labels)
    predicted = explanation.predictions(1)[0].label
    wrong = next(name for name in names if name != predicted)
    end = float(explanation.timeline.pts_seconds(explanation.span[1] - 1))
    truth = ClipTruth(wrong, spans=((0.25 * end, 0.5 * end),), key_times=(("", 0.75 * end),))
    page = open_page(write_page(sample_clip, explanation, truth, tmp_path / "out").as_uri())
    text = page.locator("header .truth").inner_text()
    assert f"Ground truth: {wrong}; the prediction is wrong" in text
    assert "% of the heat lies on the event" in text
    assert "event, as the ground truth says" in page.inner_text(".key")
    whole = page.evaluate("app.timeline.seconds(app.timeline.stop)")
    hits = page.evaluate(MARKED)
    in_span = [x * whole / end for x in hits if x * whole / end < 0.6]
    assert abs(min(in_span) - 0.25) < 0.01 and abs(max(in_span) - 0.5) < 0.01
    assert any(abs(x * whole / end - 0.75) < 0.01 for x in hits)


def test_boxes_are_drawn_on_the_frames_for_which_they_hold(
    open_page: Callable[..., Any],
    serve: Callable[[Path], str],
    explanation: Explanation,
    sample_clip: Path,
    tmp_path: Path,
) -> None:
    boxes = tuple(Box(frame, 20, 30, 120, 150) for frame in (4, 7, 10))
    path = write_page(sample_clip, explanation, ClipTruth(boxes=boxes), tmp_path / "out")
    # Pixels of a video can be read from a server's page alone.
    page = open_page(f"{serve(path.parent)}/index.html")
    colour = np.array([63, 185, 80])
    assert page.evaluate("TRUTH_COLOUR") == f"#{bytes(colour.tolist()).hex()}"
    for frame, is_there in ((3, False), (4, True), (9, True), (12, True), (13, False)):
        page.evaluate(f"videoCam.goto({frame})")
        picture = read_canvas(page)
        columns = np.flatnonzero((picture == colour).all(2).any(0)) / picture.shape[1]
        assert bool(columns.size) == is_there, frame
        if is_there:
            assert abs(columns[0] - 20 / 256) < 0.01 and abs(columns[-1] - 120 / 256) < 0.01


def test_masks_are_outlined_on_the_frames_for_which_they_hold(
    open_page: Callable[..., Any],
    serve: Callable[[Path], str],
    explanation: Explanation,
    sample_clip: Path,
    tmp_path: Path,
) -> None:
    """Around the region and its hole, and nowhere inside."""
    region = np.zeros((256, 256), bool)
    region[40:200, 60:180] = True
    region[90:140, 100:140] = False
    bits = np.diff(np.flatnonzero(np.diff(region.T.reshape(-1), prepend=False)), append=0)[:-1]
    start = int(np.flatnonzero(region.T.reshape(-1))[0])
    counts = (start, *bits.tolist())
    counts = (*counts, 256 * 256 - sum(counts))
    masks = tuple(Mask(frame, counts=counts, size=(256, 256)) for frame in (4, 7))
    path = write_page(sample_clip, explanation, ClipTruth(masks=masks), tmp_path / "out")
    page = open_page(f"{serve(path.parent)}/index.html")
    colour = np.array([63, 185, 80])
    for frame, is_there in ((3, False), (4, True), (9, True), (10, False)):
        page.evaluate(f"videoCam.goto({frame})")
        picture = read_canvas(page)
        rows, columns = np.nonzero((picture == colour).all(2))
        assert bool(columns.size) == is_there, frame
        if is_there:
            x, y = (columns + 0.5) * 256 / picture.shape[1], (rows + 0.5) * 256 / picture.shape[0]
            outside = np.maximum(abs(x - 120) - 60, abs(y - 120) - 80)
            hole = np.maximum(abs(x - 120) - 20, abs(y - 115) - 25)
            is_near = [abs(distance) < 2.5 for distance in (outside, hole)]
            assert (is_near[0] | is_near[1]).all() and is_near[0].any() and is_near[1].any()


def test_outlines_by_hand(tmp_path: Path, monkeypatch) -> None:
    triangle = Mask(3, polygons=((10.0, 10.0, 90.0, 10.0, 10.0, 90.0),))
    [(frame, line)] = outlines_of([triangle], 100, 120)
    corners = np.reshape(line, (-1, 2))
    assert frame == 3 and len(corners) == 3
    assert sorted(map(tuple, corners.round(-1))) == [(10, 10), (10, 90), (90, 10)]
    assert outlines_of([triangle, Mask(4, picture="missing.png")], 100, 120) == []
    assert outlines_of([Mask(0, counts=(9,), size=(3, 3))], 3, 3) == []  # an empty mask
    monkeypatch.setattr(truth_outlines, "MAX_MASKS", 1)
    assert outlines_of([triangle] * 2, 100, 120) == []


def test_a_class_alone_and_hostile_names(
    explanation: Explanation, sample_clip: Path, tmp_path: Path
) -> None:
    right = ClipTruth(explanation.predictions(1)[0].label)
    text = write_page(sample_clip, explanation, right, tmp_path / "right").read_text()
    assert "the prediction is right." in text and 'class="event"' not in text
    assert "of the heat lies" not in text
    odd = ClipTruth(TEXTS["markup"])
    text = write_page(sample_clip, explanation, odd, tmp_path / "odd").read_text()
    assert "the network has no class of this name" in text and TEXTS["markup"] not in text
