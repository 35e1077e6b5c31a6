"""The page of a folder of clips: its HTML, and sorting and filtering in a browser."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.explanations import MOTION_TEST
from tests.support.gallery import gallery_rows, write_gallery
from tests.support.pages import HOSTILE
from video_cam.rendering.image_files import save_image
from video_cam.rendering.page.assets import CLIP_THUMBNAIL
from video_cam.utils.notes import WARNING, Note
from video_cam.utils.text import unbroken

READY = "#count:not(:empty)"
CHECK = {"sentence": "Blurring the hot tenth costs 62 % of the score.", "drop": 0.62}


def row(clip: str, **values: Any) -> dict[str, Any]:
    return {
        "clip": clip,
        "folder": None,
        "status": "done",
        "error": None,
        "prediction": None,
        "check": None,
        "duration_seconds": None,
        "seconds": 1.0,
        "finished_at": "2024-01-01T00:00:00",
    } | values


def prediction(label: str, score: float) -> dict[str, Any]:
    return {"class_id": 0, "label": label, "score": score, "shown": f"{score:.0%}"}


ROWS = [
    row(
        "in/b.mp4",
        folder="b",
        prediction=prediction("spin", 0.5),
        duration_seconds=61.5,
        notes=[asdict(Note("a note")), asdict(Note(HOSTILE, WARNING))],
    ),
    row(
        "in/a.mp4",
        folder="a #1",
        prediction=prediction("grow", 0.9),
        check=CHECK,
        motion_test=MOTION_TEST,
        frame_test={"sentence": "one frame is enough"},
    ),
    row(f"in/{HOSTILE}", status="failed", error=f"no frame decodes {HOSTILE}"),
    row("in/c10.mp4", folder="c10", prediction=prediction("spin", 0.7), duration_seconds=9.0),
    row("in/c9.mp4", folder="c9\udce9", prediction=prediction("spin", 0.1), status="skipped"),
]


NUM_MANY = 3000  # all of them are in the page


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """The page of ROWS, whose results have pictures."""
    for result in ROWS:
        if result["folder"]:
            picture = tmp_path / result["folder"] / CLIP_THUMBNAIL
            picture.parent.mkdir(parents=True)
            save_image(picture, np.zeros((5, 8, 3), np.uint8))
    write_gallery(tmp_path, ROWS)
    return tmp_path / "index.html"


@pytest.fixture
def opened(gallery: Path, open_page: Any) -> Any:
    return open_page(gallery.as_uri(), ready=READY, viewport={"width": 390, "height": 800})


def shown(page: Any) -> list[str]:
    """The beginnings of the names of the clips that are drawn."""
    return page.locator("tbody th").evaluate_all(
        "heads => heads.map((head) => head.firstChild.textContent.slice(0, 3))"
    )


def texts(page: Any, row: int) -> list[str]:
    return page.locator("tbody tr").nth(row).locator("th, td").all_inner_texts()


def test_the_data_hold_every_clip_and_no_markup(gallery: Path) -> None:
    text = gallery.read_text()
    assert [p.name for p in gallery.parent.iterdir() if p.name.startswith(".")] == []
    assert HOSTILE not in text and "<img" not in text and text.count("</script>") == 2
    assert "3 done, 1 failed, 1 skipped" in text
    rows = gallery_rows(gallery)
    assert [row["clip"] for row in rows] == [result["clip"] for result in ROWS]
    assert len(rows[1]["notes"]) == 1 and "frame test: one frame is enough" in text
    assert [row["results"] for row in rows] == ["b", "a%20%231", None, "c10", "c9%E9"]
    assert [row["label"] for row in rows] == ["spin", "grow", None, "spin", "spin"]
    assert rows[1]["sentence"] == unbroken(CHECK["sentence"]) and rows[1]["drop"] == 0.62


def test_only_warnings_look_like_warnings(opened: Any) -> None:
    remarks = opened.locator("tbody tr").filter(has_text="a note").locator(".remark")
    assert [text.startswith("Warning: ") for text in remarks.all_inner_texts()] == [True, False]


def test_headings_are_explained(opened: Any) -> None:
    opened.focus("#class")
    opened.keyboard.press("Tab")  # from here on the focus is the keyboard's
    opened.focus("button[data-sort=drop]")
    assert opened.inner_text("#explained").startswith("score lost: How much of the score is lost")


def test_no_rows_and_missing_fields_are_allowed(tmp_path: Path) -> None:
    write_gallery(tmp_path, [])
    assert "no clips" in (tmp_path / "index.html").read_text()
    nan = {"prediction": {"score": math.nan}, "check": {"sentence": None}}
    write_gallery(tmp_path, [{"clip": "x.mp4", "status": "failed", "error": "gone"} | nan])
    [found] = gallery_rows(tmp_path / "index.html")
    assert (found["clip"], found["error"], found["score"]) == ("x.mp4", "gone", None)


def test_rows_are_drawn_as_text(opened: Any) -> None:
    assert shown(opened) == ["b.m", "a.m", "scr", "c10", "c9."]
    # On a narrow screen the cells carry the names of their columns.
    picture, name, *cells = texts(opened, 0)
    assert (picture, name) == ("", "b.mp4\nin/b.mp4")
    assert cells == ["spin", "50%", "", "", "1:01.50", f"done\nWarning: {HOSTILE}\na note"]
    assert texts(opened, 1)[2:7] == [
        "grow",
        "90%",
        "62.0\N{NO-BREAK SPACE}%",
        "75.0\N{NO-BREAK SPACE}%",
        "",
    ]
    assert opened.get_attribute("tbody tr:nth-child(2) td[title*=Blurring]", "title") == unbroken(
        CHECK["sentence"]
    )
    assert f"no frame decodes {HOSTILE}" in texts(opened, 2)[7]
    links = opened.locator("tbody a").evaluate_all("all => all.map((a) => a.getAttribute('href'))")
    pages = ["b/index.html", "a%20%231/index.html", "c10/index.html", "c9%E9/index.html"]
    assert links == [page for page in pages for _ in range(2)]  # of the picture and of the name
    pictures = opened.locator("tbody img").evaluate_all("all => all.map((i) => i.naturalWidth)")
    assert pictures[:2] == [8, 8] and len(pictures) == 4
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_picture_that_is_missing_is_left_out(gallery: Path, browser: Any) -> None:
    (gallery.parent / "a #1" / CLIP_THUMBNAIL).unlink()
    page = browser.new_page()
    page.goto(gallery.as_uri())
    page.wait_for_function("document.querySelectorAll('tbody img').length === 3")
    assert page.locator("tbody tr").nth(1).locator("img").count() == 0
    page.close()


def test_it_sorts_and_filters(opened: Any) -> None:
    by = {key: opened.locator(f"[data-sort={key}]") for key in ("name", "score", "drop", "label")}
    by["name"].click()
    assert shown(opened) == ["a.m", "b.m", "c9.", "c10", "scr"]
    by["name"].click()
    assert shown(opened) == ["scr", "c10", "c9.", "b.m", "a.m"]
    by["score"].click()  # the highest first, those without a score last
    assert shown(opened) == ["a.m", "c10", "b.m", "c9.", "scr"]
    assert opened.get_attribute("th:has([data-sort=score])", "aria-sort") == "descending"
    by["score"].click()
    assert shown(opened) == ["c9.", "b.m", "c10", "a.m", "scr"]
    for key in ("drop", "motion_share"):
        opened.locator(f"[data-sort={key}]").click()
        assert shown(opened)[0] == "a.m"
    by["label"].click()
    assert shown(opened) == ["a.m", "b.m", "c10", "c9.", "scr"]
    opened.select_option("#class", "spin")
    opened.select_option("#status", "done")
    assert shown(opened) == ["b.m", "c10"]
    assert opened.input_value("#find") == "" and opened.inner_text("#count") == "2 of 5 shown"
    opened.select_option("#class", "")
    opened.select_option("#status", "")
    opened.fill("#find", "FRAME decodes")
    assert shown(opened) == ["scr"]
    opened.fill("#find", "1:01.50")
    assert shown(opened) == ["b.m"]
    assert opened.locator("#pages").is_hidden()


def test_many_clips_are_drawn_page_by_page(tmp_path: Path, open_page: Any) -> None:
    results = [
        row(f"in/{number}.mp4", status="failed" if number % 100 == 7 else "done")
        for number in range(NUM_MANY)
    ]
    write_gallery(tmp_path, results)
    page = open_page((tmp_path / "index.html").as_uri(), ready=READY)

    def drawn() -> tuple[str, str, int]:
        names = page.locator("tbody th").evaluate_all(
            "all => all.map((h) => h.firstChild.textContent)"
        )
        return names[0], names[-1], len(names)

    assert page.inner_text("#count") == "3000 of 3000 shown"
    assert drawn() == ("0.mp4", "199.mp4", 200)
    page.click("[data-page=next]")
    assert drawn() == ("200.mp4", "399.mp4", 200)
    page.click("[data-page=last]")
    assert drawn() == ("2800.mp4", "2999.mp4", 200)
    assert page.inner_text("#last") == "15" and page.is_disabled("[data-page=next]")
    page.fill("#page", "7")
    page.press("#page", "Enter")
    assert drawn() == ("1200.mp4", "1399.mp4", 200)
    page.fill("#page", "9999")
    page.press("#page", "Enter")
    assert page.input_value("#page") == "15"
    page.click("[data-page=first]")
    assert page.is_disabled("[data-page=previous]") and drawn()[0] == "0.mp4"
    page.click("[data-sort=name]")
    page.click("[data-sort=name]")
    assert drawn() == ("2999.mp4", "2800.mp4", 200)
    page.click("[data-page=next]")
    page.fill("#find", "07.mp4")  # a filter begins at its first page
    assert drawn() == ("2907.mp4", "107.mp4", 29)
    assert page.locator("#pages").is_hidden()
