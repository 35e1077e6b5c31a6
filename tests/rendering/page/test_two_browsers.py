"""What a page promises in Chromium and in Firefox: exact frames, marks, exports, one file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.support.browser import STATE, change, difference, frame_of, goto, wait_until
from tests.support.chromium import ChromiumPage
from tests.support.firefox import find_firefox, running_firefox
from tests.support.gallery import keep_few_in_page, write_gallery
from tests.support.pages import CLOSE, Rendered
from video_cam.rendering.gif import gif_delays
from video_cam.rendering.page.single_file import write_single_file

OpenPage = Callable[..., Any]
MESSAGE = "document.querySelector('#message').textContent"
VIEW_SIZE = "(({ width, height }) => [width, height])(composeView(app))"
REFUSED_STORAGE = """
  for (const name of ["getItem", "setItem"])
    Storage.prototype[name] = () => { throw new DOMException("", "SecurityError"); };
"""


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Firefox, started once for this file."""
    pytest.importorskip("websockets", reason="websockets is not installed")
    if find_firefox() is None:
        pytest.skip("firefox is not installed")
    with running_firefox(tmp_path_factory.mktemp("downloads")) as running:
        yield running


@pytest.fixture(params=["chromium", "firefox"])
def open_in(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenPage]:
    """A function that opens a file in each of the browsers; afterwards no message may be logged."""
    pages = []
    browser = request.getfixturevalue("browser" if request.param == "chromium" else "firefox")

    def open_(file: Path, fragment: str = "frame=0", before: str = "") -> Any:
        address = f"{file.as_uri()}#{fragment}"
        if request.param == "chromium":
            pages.append(ChromiumPage(browser, address, before, tmp_path))
        else:
            pages.append(browser.open(address, before))
        return pages[-1]

    yield open_
    problems = [problem for page in pages for problem in page.problems]
    for page in pages:
        page.evaluate("localStorage.clear()")  # Firefox has one profile for all tests
        page.close()
    assert problems == []


@pytest.fixture
def shown(open_in: OpenPage, rendered: Rendered) -> Any:
    """The page of ``rendered`` from disk, at its first frame."""
    return open_in(rendered.folder / "index.html")


def assert_shows(page: Any, pictures: dict[int, np.ndarray], frame: int, limit: float) -> None:
    """The page's picture is that of the frame, and closer to it than to those of other frames."""
    picture = page.picture()
    away = {index: difference(picture, expected) for index, expected in pictures.items()}
    assert away[frame] < limit and min(away, key=away.__getitem__) == frame, away


def test_the_frame_that_is_asked_for_is_shown(shown: Any, rendered: Rendered) -> None:
    pictures = dict(zip(rendered.frames, rendered.overlay(rendered.frames), strict=True))
    for frame in (39, 0, 20, 21, 7):  # backwards, too; shown for 33 to 200 ms
        goto(shown, frame)
        assert_shows(shown, pictures, frame, CLOSE)
    for keys, frame in [("ArrowRight", 8), ("Shift+ArrowRight", 18), ("End", 39), ("Home", 0)]:
        shown.press(keys)
        wait_until(shown, f"{STATE}.frame_index === {frame} && app.player.shown === {frame}")
    assert_shows(shown, pictures, 0, CLOSE)


def test_a_magnified_picture_shows_its_pixels_as_squares(shown: Any, rendered: Rendered) -> None:
    change(shown, frame_index=20, opacity=0, dim=False, zoom=[4, 60, 30])
    (plain,) = rendered.overlay([20], alpha=0)
    left, top, across, down = map(round, shown.evaluate("visiblePart(app.state.zoom, DATA.clip)"))
    assert (across, down) == (96 // 4, 64 // 4)
    picture = shown.picture()
    height, width = picture.shape[:2]
    rows = top + (np.arange(height) * down // height)
    columns = left + (np.arange(width) * across // width)
    assert difference(picture, plain[rows][:, columns]) < 2 * CLOSE


def test_the_next_peak_is_the_next_one_that_is_listed(shown: Any) -> None:
    peaks = sorted(shown.evaluate("DATA.maps[0].peaks"))
    after = [peak for peak in peaks if peak > 0]
    shown.press("p")
    wait_until(shown, f"{STATE}.frame_index === {after[0]} && app.player.shown === {after[0]}")


def test_marks_are_kept_listed_and_edited(shown: Any) -> None:
    goto(shown, 7)
    shown.press("m")
    shown.write("first")
    shown.press("Enter")
    change(shown, frame_index=30, loop=[10, 12])
    shown.click("#mark-span")
    shown.write("a span")
    shown.press("Enter")
    shown.reload()
    notes = "[...document.querySelectorAll('#marks .note-text')].map((p) => p.textContent)"
    assert shown.evaluate(notes) == ["first", "a span"]
    shown.click("#marks .when")
    wait_until(shown, f"{STATE}.frame_index === 7 && {STATE}.loop === null")
    shown.click("#marks li:last-child .when")
    wait_until(shown, f"{STATE}.frame_index === 10 && {STATE}.loop?.join() === '10,12'")
    shown.click("#marks [aria-label^='Edit']")
    shown.write(" again")
    shown.press("Escape")
    assert shown.evaluate(notes)[0] == "first"
    shown.click("#marks [aria-label^='Edit']")
    shown.write(" ")
    shown.press("Enter")
    shown.click("#marks [aria-label^='Delete']")
    shown.reload()
    assert shown.evaluate(notes) == ["a span"]
    shown.click("#marks [aria-label^='Delete']")
    assert shown.evaluate("app.marks.marks.length") == 0
    shown.click("#marks [aria-label^='Bring back']")
    shown.reload()
    assert shown.evaluate(notes) == ["a span"]


def test_marks_are_drawn_into_the_timeline(shown: Any, rendered: Rendered) -> None:
    changed = """() => {
      const canvas = document.querySelector("#scrub canvas");
      const copy = new OffscreenCanvas(canvas.width, 1).getContext("2d");
      copy.drawImage(canvas, 0, -MARK_TOP - 2);
      const { data } = copy.getImageData(0, 0, canvas.width, 1);
      const before = window.before ?? data;
      window.before = data;
      const columns = [];
      for (let x = 0; x < canvas.width; x++) if (data[4 * x] !== before[4 * x]) columns.push(x);
      return [columns[0] / canvas.width, (columns.at(-1) + 1) / canvas.width];
    }"""
    shown.evaluate(changed)
    shown.evaluate("app.marks._mark(10, 19)")
    timeline = rendered.explanation.timeline
    ends = [float(timeline.pts_seconds(i) / timeline.end_seconds) for i in (10, 20)]
    assert shown.evaluate(changed) == pytest.approx(ends, abs=0.005)


def test_marks_go_out_and_come_back(shown: Any, rendered: Rendered, tmp_path: Path) -> None:
    timeline = rendered.explanation.timeline
    for frame, note in [(7, '=HYPERLINK("x"), a'), (3, "two\nlines é \u202e")]:
        shown.evaluate(f"app.marks._mark({frame}, {frame + 2})")
        shown.evaluate("text => (document.activeElement.value = text)", note)
        shown.press("Enter")
    written = json.loads(shown.save("#marks-json").read_text("utf-8"))
    assert [mark["frame_index"] for mark in written["marks"]] == [3, 7]
    first = rendered.explanation.maps[0]
    assert written["marks"][0] == {
        "frame_index": 3,
        "pts_seconds": float(timeline.pts_seconds(3)),
        "end_frame_index": 5,
        "end_seconds": float(timeline.frame_end_seconds(5)),
        "note": "two\nlines é \ufffd",
        "target": first.label,
        "class_id": first.class_id,
        "layer": first.layer,
        "method": first.method,
        "detail": first.detail,
    }
    table = shown.save("#marks-csv").read_text("utf-8")
    rows = list(csv.DictReader(table.splitlines(keepends=True)))
    assert list(rows[0]) == list(written["marks"][0])
    assert rows[1]["note"] == '\'=HYPERLINK("x"), a' and rows[0]["note"] == "two\nlines é \ufffd"

    shown.evaluate("localStorage.clear()")
    shown.reload()
    foreign = {**written["marks"][0], "frame_index": 2, "end_frame_index": 40}
    written["marks"].append(foreign)
    path = tmp_path / "marks.json"
    path.write_text(json.dumps(written), "utf-8")
    shown.choose_file("#marks-file", path)
    wait_until(shown, f"{MESSAGE}.startsWith('2 marks imported; 1 left out')")
    shown.choose_file("#marks-file", path)
    wait_until(shown, f"{MESSAGE}.startsWith('0 marks imported')")
    path.write_text('{"format": "something else"}', "utf-8")
    shown.choose_file("#marks-file", path)
    wait_until(shown, f"{MESSAGE}.startsWith('failed: this file holds no marks')")
    assert shown.evaluate("app.marks.marks.length") == 2


def test_a_refused_storage_is_told(open_in: OpenPage, rendered: Rendered) -> None:
    page = open_in(rendered.folder / "index.html", before=REFUSED_STORAGE)
    page.press("m")
    page.press("Enter")
    assert "keeps no marks" in page.evaluate("document.querySelector('#marks-problem').textContent")
    assert page.evaluate("app.marks.marks.length") == 1


def test_a_span_is_saved_as_gif(shown: Any, rendered: Rendered) -> None:
    change(shown, frame_index=2, loop=[3, 12])
    path = shown.save("#export-gif")
    assert path.name.endswith("_000003-000012.gif") and frame_of(shown) == 2
    size = tuple(shown.evaluate(VIEW_SIZE))
    wait_until(shown, f"{MESSAGE}.endsWith('{size[0]}\\u00d7{size[1]} pixels')")
    timeline = rendered.explanation.timeline
    stamps = [timeline.pts_seconds(i) for i in range(3, 14)]
    with Image.open(path) as gif:
        assert gif.n_frames == 10 and gif.size == size
        shown_for = []
        for number, expected in enumerate(rendered.overlay(range(3, 13))):
            gif.seek(number)
            shown_for.append(gif.info["duration"] // 10)
            picture = np.asarray(gif.convert("RGB"))[:64]
            assert difference(picture, expected) < 3 * CLOSE, number
    assert shown_for == list(gif_delays(stamps).values())


def test_gif_delays_are_those_of_the_command(shown: Any) -> None:
    steps = np.random.default_rng(0).integers(1, 90, 60)
    stamps = [Fraction(int(tick), 1000) for tick in np.cumsum([0, *steps])]
    ticks = [int(stamp * 1000) for stamp in stamps]
    delays = shown.evaluate("(stamps) => gifDelays(stamps, 1, 1000)", ticks)
    assert dict(map(tuple, delays)) == gif_delays(stamps)


def test_a_span_is_saved_as_mp4(shown: Any, rendered: Rendered) -> None:
    wait_until(shown, "mp4Configuration(640, 480, 25).then(() => true)")
    if shown.evaluate("document.querySelector('#export-mp4').disabled"):
        pytest.skip("this browser has no H.264 encoder")
    change(shown, loop=[3, 12])
    path = shown.save("#export-mp4")
    timeline = rendered.explanation.timeline
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert [stream.width, stream.height] == shown.evaluate(VIEW_SIZE)
        assert stream.duration * stream.time_base == timeline.pts_seconds(
            13
        ) - timeline.pts_seconds(3)
    stamps = [frame.pts * frame.time_base for frame in frames]
    assert stamps == [timeline.pts_seconds(i) - timeline.pts_seconds(3) for i in range(3, 13)]
    for frame, expected in zip(frames, rendered.overlay(range(3, 13)), strict=True):
        assert difference(frame.to_ndarray(format="rgb24")[:64], expected) < 3 * CLOSE


def test_one_file_does_what_the_folder_does(
    open_in: OpenPage, rendered: Rendered, tmp_path: Path
) -> None:
    pictures = dict(zip(rendered.frames, rendered.overlay(rendered.frames), strict=True))
    notes: list[str] = []
    whole, small = tmp_path / "whole.html", tmp_path / "small.html"
    write_single_file(rendered.folder, whole, 2**24, notes.append)
    assert notes == []
    write_single_file(rendered.folder, small, whole.stat().st_size - 100, notes.append)
    for path, limit in [(whole, CLOSE), (small, 3 * CLOSE)]:
        page = open_in(path)
        for frame in (20, 3):
            goto(page, frame)
            assert_shows(page, pictures, frame, limit)
        # There is no folder that the command could read.
        assert page.evaluate("document.querySelector('#export-command').checkVisibility()") is False
    assert len(notes) == 1 and "pixels and is compressed more" in notes[0]


def test_the_page_of_many_clips_loads_its_files(
    open_in: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_few_in_page(monkeypatch)
    rows = [
        {"clip": f"in/{n}.mp4", "status": "done", "duration_seconds": (7 * n) % 40 + 1.0}
        for n in range(40)
    ]
    write_gallery(tmp_path, rows)
    page = open_in(tmp_path / "index.html", before="window.videoCam = {};")
    names = "[...document.querySelectorAll('#clips th a, #clips th')].map((h) => h.firstChild.data)"
    assert page.evaluate(names)[:2] == ["0.mp4", "1.mp4"]
    page.click("[data-sort=duration_seconds]")
    expected = sorted(rows, key=lambda row: -row["duration_seconds"])[:6]
    wait_until(page, f"{names}.join() === '{','.join(row['clip'][3:] for row in expected)}'")
    page.evaluate("setFilters({ find: '39.mp4' })")
    wait_until(page, "document.getElementById('count').value === '1 of 40 shown'")


def test_the_command_names_what_is_shown(shown: Any, rendered: Rendered) -> None:
    change(shown, loop=[3, 12], method="layercam", colormap="turbo", opacity=0.5, contours=True)
    text = shown.evaluate("document.querySelector('#export-command').textContent")
    assert text == (
        f"video-cam export mp4 {rendered.folder} --frames 3 12 --map 1 --colormap turbo "
        "--alpha 0.5 --contours 0.5"
    )
    assert shown.evaluate("shellWord", "it's a; b") == "'it'\\''s a; b'"


def test_assistive_technology_is_told_the_name_of_every_control(firefox: Any, rendered) -> None:
    page = firefox.open((rendered.folder / "index.html").as_uri())
    roles = ("button", "slider", "combobox", "checkbox")
    counts = {role: page.named(role) for role in roles}
    assert min(counts.values()) > 0
    assert page.named("button", "Mark frame") == 1 and page.named("slider", "Opacity") == 1
    unnamed = """() => [...document.querySelectorAll("button, input, select, textarea")].filter(
      (control) => !control.hidden && !(control.ariaLabel || control.labels?.[0]?.textContent.trim()
        || control.textContent.trim())).map((control) => control.id)"""
    assert page.evaluate(unnamed) == []
    page.close()
