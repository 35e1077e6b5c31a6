"""The page of very many clips, which loads most of them from files beside it."""

from __future__ import annotations

import random
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.browser import wait_until
from tests.support.gallery import data_of, gallery_rows, keep_few_in_page, write_gallery
from tests.support.hostile import TEXTS
from video_cam.batch.overview import write_overview
from video_cam.rendering.image_files import save_image
from video_cam.rendering.page import gallery, gallery_data
from video_cam.rendering.page.assets import CLIP_THUMBNAIL
from video_cam.rendering.result_folder import INDEX_DATA

READY = "#count:not(:empty)"
NUM_CLIPS = 29
WITH_PICTURE = 3  # the first clips
LABELS = ("spin", "grow", TEXTS["markup"])


def results(has_truth: bool = False) -> list[dict[str, Any]]:
    """Lines of results.jsonl: some failed, some without a score, scores in no order."""
    draw = random.Random(0)
    rows = []
    for number in range(NUM_CLIPS):
        label = LABELS[number % len(LABELS)]
        score = None if number % 7 == 3 else round(draw.random(), 3)
        row: dict[str, Any] = {
            "clip": f"in/{draw.randrange(10**6)}.mp4",
            "folder": f"c #{number}" if number < WITH_PICTURE else None,
            "status": "failed" if number % 5 == 4 else "done",
            "error": f"no frame decodes {TEXTS['attribute']}" if number % 5 == 4 else None,
            "prediction": {"class_id": 0, "label": label, "score": score, "shown": str(score)},
            "check": {"drop": round(draw.random(), 3), "sentence": "what the check says"},
            "motion_test": {"motion_share": round(draw.random(), 3), "sentence": "of motion"},
            "duration_seconds": float(draw.randrange(100)),
            "notes": [{"text": f"note {number % 3} {TEXTS['markup']}", "kind": "information"}],
        }
        if has_truth and number % 4:
            is_right = draw.random() < 0.5
            truth = label if is_right else LABELS[(number + 1) % len(LABELS)]
            answer = {"name": truth, "label": truth, "rank": 1 if is_right else 2}
            row["truth"] = answer | {"correct": is_right, "num_classes": 3, "measures": None}
        rows.append(row)
    return rows


def write_pictures(folder: Path) -> None:
    for result in results()[:WITH_PICTURE]:
        picture = folder / result["folder"] / CLIP_THUMBNAIL
        picture.parent.mkdir(parents=True)
        save_image(picture, np.zeros((5, 8, 3), np.uint8))


def clip_names(page: Any) -> list[str]:
    return page.locator("#clips th").evaluate_all("all => all.map((h) => h.firstChild.textContent)")


def shown(page: Any) -> list[str]:
    """The names of the clips that pass the filters, on all pages of the table."""
    wait_until(page, "document.getElementById('count').value.endsWith('shown')")
    names = clip_names(page)
    while not page.is_hidden("#pages") and page.is_enabled("[data-page=next]"):
        number = int(page.input_value("#page"))
        page.click("[data-page=next]")
        wait_until(page, f"document.getElementById('page').value === '{number + 1}'")
        names += clip_names(page)
    return names


def choose(page: Any, action: Callable[[], Any]) -> list[str]:
    """What is shown after an action, which may load files."""
    page.evaluate("document.getElementById('count').value = '...'")
    action()
    return shown(page)


@pytest.mark.parametrize(("has_truth", "is_served"), [(False, False), (True, True)])
def test_it_shows_what_a_page_that_holds_all_clips_shows(
    has_truth: bool, is_served: bool, open_page: Any, serve: Any, tmp_path: Path, monkeypatch
) -> None:
    """In the opening order, sorted by each column, filtered, searched; in a folder that moved."""
    for name in ("whole", "first"):
        write_pictures(tmp_path / name)
        write_overview(tmp_path / name, results(has_truth))
        keep_few_in_page(monkeypatch)
    (tmp_path / "first").rename(tmp_path / "moved")
    homes = [
        serve(tmp_path / name) if is_served else (tmp_path / name).as_uri()
        for name in ("whole", "moved")
    ]
    rows = results(has_truth)
    whole, parts = (open_page(f"{home}/index.html", ready=READY) for home in homes)
    assert parts.inner_text("#count") == f"{NUM_CLIPS} of {NUM_CLIPS} shown"
    assert whole.inner_text(".facts >> nth=0") == parts.inner_text(".facts >> nth=0")
    assert parts.locator("#clips tr").count() == 6
    assert shown(parts) == shown(whole)
    columns = whole.evaluate("Object.keys(DATA.columns)")
    assert {"name", "score", "status"} <= set(columns) and ("answer" in columns) == has_truth

    def both(act: Callable[[Any], Any]) -> list[str]:
        expected = choose(whole, lambda: act(whole))
        assert choose(parts, lambda: act(parts)) == expected
        return expected

    for key in columns:
        once, again = (both(lambda page, key=key: page.click(f"[data-sort={key}]")) for _ in "12")
        assert once != again
    failed = both(lambda page: page.select_option("#status", "failed"))
    assert len(failed) == 5
    assert len(both(lambda page: page.fill("#find", "DECODES 01"))) < 5
    both(lambda page: page.select_option("#status", ""))
    [only] = both(lambda page: page.fill("#find", failed[0]))
    assert only == failed[0]
    both(lambda page: page.fill("#find", ""))
    assert len(both(lambda page: page.select_option("#class", "grow"))) == 10
    both(lambda page: page.select_option("#class", ""))
    both(lambda page: page.fill("#find", "note"))
    links = "[...document.querySelectorAll('#clips a')].map((a) => a.getAttribute('href'))"
    name = Path(rows[2]["clip"]).name
    both(lambda page: page.fill("#find", name))
    assert parts.evaluate(links) == whole.evaluate(links) == ["c%20%232/index.html"] * 2


@pytest.mark.parametrize("has_truth", [False, True])
def test_it_opens_without_its_files(
    has_truth: bool, open_page: Any, tmp_path: Path, monkeypatch
) -> None:
    """They are asked for when they are needed, and none of them twice."""
    keep_few_in_page(monkeypatch)
    write_pictures(tmp_path)
    write_overview(tmp_path, results(has_truth))
    page = open_page((tmp_path / "index.html").as_uri(), ready=READY)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.reload()
    page.wait_for_selector(READY)
    assert len(clip_names(page)) == 6
    assert "index.html" in asked and not any(name.endswith(".js") for name in asked)
    page.click("[data-page=next]")
    wait_until(page, "document.getElementById('page').value === '2'")
    scripts = [name for name in asked if name.endswith(".js")]
    if not has_truth:
        assert sorted(scripts) == ["rows-1.js", "rows-2.js"]  # with clips 6 to 11
    assert ("answer.js" in scripts) == has_truth
    shown(page)
    page.click("[data-page=first]")
    shown(page)
    scripts = [name for name in asked if name.endswith(".js")]
    assert len(scripts) == len(set(scripts))


def test_a_word_that_is_typed_on_ends_the_search_before(
    open_page: Any, tmp_path: Path, monkeypatch
) -> None:
    keep_few_in_page(monkeypatch)
    write_pictures(tmp_path)
    write_gallery(tmp_path, results())
    page = open_page((tmp_path / "index.html").as_uri(), ready=READY)
    name = Path(results()[20]["clip"]).name
    page.locator("#find").press_sequentially(name)
    wait_until(page, f"document.getElementById('count').value === '1 of {NUM_CLIPS} shown'")
    assert clip_names(page) == [name]
    page.fill("#find", "none has this")
    page.fill("#find", "")
    wait_until(
        page, f"document.getElementById('count').value === '{NUM_CLIPS} of {NUM_CLIPS} shown'"
    )
    assert len(shown(page)) == NUM_CLIPS


def test_files_that_are_gone_are_told(browser: Any, tmp_path: Path, monkeypatch) -> None:
    """The folder's page may have been written again since this one was opened."""
    keep_few_in_page(monkeypatch)
    write_gallery(tmp_path, results())
    page = browser.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    page.wait_for_selector(READY)
    write_gallery(tmp_path, results())
    page.click("[data-sort=score]")
    wait_until(page, "document.getElementById('count').value.includes('load this page again')")
    page.close()


def data_folders(folder: Path) -> list[str]:
    root = folder / INDEX_DATA
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


def test_a_page_of_fewer_clips_leaves_no_files(tmp_path: Path, monkeypatch) -> None:
    keep_few_in_page(monkeypatch)
    write_gallery(tmp_path, results())
    [first] = data_folders(tmp_path)
    killed = tmp_path / INDEX_DATA / ".0123456789abcdef"
    killed.mkdir()
    (killed / "rows-0.js").touch()
    write_gallery(tmp_path, results()[:20])
    [second] = data_folders(tmp_path)
    assert second != first and len(gallery_rows(tmp_path / "index.html")) == 20
    assert data_of(tmp_path / "index.html")["folder"] == f"{INDEX_DATA}/{second}"
    foreign = tmp_path / INDEX_DATA / "mine"
    foreign.mkdir()
    write_gallery(tmp_path, results()[:10])
    assert data_folders(tmp_path) == ["mine"]
    foreign.rmdir()
    write_gallery(tmp_path, results()[:10])
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert data_of(tmp_path / "index.html")["folder"] is None


@pytest.mark.parametrize("at", ["rows", "page"])
def test_a_page_that_cannot_be_written_leaves_the_earlier_one(
    at: str, tmp_path: Path, monkeypatch
) -> None:
    keep_few_in_page(monkeypatch)
    write_overview(tmp_path, results())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def broken() -> Iterator[dict[str, Any]]:
        yield from results()
        raise OSError("No space left")

    def fail(*_: object) -> None:
        raise OSError("No space left")

    rows = broken() if at == "rows" else results()
    if at == "page":
        monkeypatch.setattr(gallery, "write_atomically", fail)
    with pytest.raises(OSError, match="No space left"):
        write_overview(tmp_path, rows)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


class Record(dict[str, Any]):
    """A record whose end can be seen."""


def test_records_are_not_kept(tmp_path: Path, monkeypatch) -> None:
    """What a clip adds to the memory of a run's end is its place in the page's orders."""
    keep_few_in_page(monkeypatch)
    monkeypatch.setattr(gallery_data, "CLIPS_PER_FILE", 100)
    rows = results(has_truth=True)
    references: list[weakref.ref[Record]] = []
    most = 0

    def records(count: int) -> Iterator[Record]:
        nonlocal most
        for number in range(count):
            record = Record(rows[number % 20] | {"clip": f"in/{number}.mp4", "error": "x" * 2000})
            references.append(weakref.ref(record))
            most = max(most, sum(one() is not None for one in references[-50:]))
            yield record

    def peak(count: int) -> int:
        tracemalloc.start()
        write_overview(tmp_path, records(count))
        _, bytes_ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return bytes_

    peak(20)  # what is made once
    few, many = peak(200), peak(1000)
    assert (many - few) / 800 < 400  # bytes a clip; a record has more than 2000
    assert most <= 3
