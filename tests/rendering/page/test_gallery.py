"""The page of a folder of clips: its HTML, and sorting and filtering in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.pages import HOSTILE
from video_cam.rendering.page.assets import CLIP_THUMBNAIL
from video_cam.rendering.page.gallery import write_gallery

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
        notes=["a note", HOSTILE],
    ),
    row("in/a.mp4", folder="a #1", prediction=prediction("grow", 0.9), check=CHECK),
    row(f"in/{HOSTILE}", status="failed", error=f"no frame decodes {HOSTILE}"),
    row("in/c10.mp4", folder="c10", prediction=prediction("spin", 0.7), duration_seconds=9.0),
    row("in/c9.mp4", folder="c9", prediction=prediction("spin", 0.1), status="skipped"),
]


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    picture = tmp_path / "a #1" / CLIP_THUMBNAIL
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"")
    write_gallery(tmp_path, ROWS)
    return tmp_path / "index.html"


def test_rows_are_there_and_escaped(gallery: Path) -> None:
    text = gallery.read_text()
    assert [p.name for p in gallery.parent.iterdir() if p.name.startswith(".")] == []
    assert 'href="b/index.html"' in text and 'href="a%20%231/index.html"' in text
    assert text.count("<img") == 1 and 'src="a%20%231/page/thumbnail.jpg"' in text
    assert "62.0 %" in text and CHECK["sentence"] in text and "1:01.50" in text
    assert text.count('<span class="remark">') == 2 and ">a note<" in text
    assert HOSTILE not in text and "&lt;script&gt;" in text
    assert "3 done, 1 failed, 1 skipped" in text


def test_no_rows_and_missing_fields_are_allowed(tmp_path: Path) -> None:
    write_gallery(tmp_path, [])
    assert "no clips" in (tmp_path / "index.html").read_text()
    write_gallery(tmp_path, [{"clip": "x.mp4", "status": "failed", "error": "gone"}])
    assert "x.mp4" in (tmp_path / "index.html").read_text()


def test_it_sorts_and_filters(gallery: Path, open_page: Any) -> None:
    (gallery.parent / "a #1" / CLIP_THUMBNAIL).unlink()
    write_gallery(gallery.parent, ROWS)
    page = open_page(
        gallery.as_uri(), ready="#count:not(:empty)", viewport={"width": 390, "height": 800}
    )

    def shown() -> list[str]:
        return page.locator("tbody tr:visible th").evaluate_all(
            "heads => heads.map((head) => head.firstChild.textContent.slice(0, 3))"
        )

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    by = {key: page.locator(f"[data-sort={key}]") for key in ("name", "score", "drop")}
    by["name"].click()
    assert shown() == ["a.m", "b.m", "c9.", "c10", "scr"]
    by["name"].click()
    assert shown() == ["scr", "c10", "c9.", "b.m", "a.m"]
    by["score"].click()  # the highest first, those without a score last
    assert shown() == ["a.m", "c10", "b.m", "c9.", "scr"]
    assert page.get_attribute("th:has([data-sort=score])", "aria-sort") == "descending"
    by["drop"].click()
    assert shown()[0] == "a.m"
    page.select_option("#class", "spin")
    page.select_option("#status", "done")
    assert sorted(shown()) == ["b.m", "c10"]
    assert page.input_value("#find") == "" and page.inner_text("#count") == "2 of 5 shown"
    page.select_option("#class", "")
    page.select_option("#status", "")
    page.fill("#find", "FRAME decodes")
    assert shown() == ["scr"]
