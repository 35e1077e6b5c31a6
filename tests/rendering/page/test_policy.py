"""The pages' policy: what is not the page's own does not run, and nothing comes from elsewhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import video_cam
from tests.support.explanations import hostile_explanation
from tests.support.gallery import write_gallery
from tests.support.hostile import TEXTS
from tests.support.media import write_clip
from video_cam.config import RenderConfig
from video_cam.rendering.notebook import page_html
from video_cam.rendering.page.policy import PagePolicy
from video_cam.rendering.page.single_file import write_single_file
from video_cam.video.clip import Clip

FOLDERS = ("markup", "attribute", "script address", "other host", "other folder")
# Each would set window.hacked if the policy allowed it.
INJECTED = """
<script>window.hacked = "inline"</script>
<script src="foreign.js"></script>
<script nonce="">window.hacked = "empty nonce"</script>
<img src="missing.png" onerror="window.hacked = 'handler'">
<svg onload="window.hacked = 'svg'"></svg>
<iframe srcdoc="<script>parent.hacked = 'frame'</script>"></iframe>
<object data="foreign.html"></object>
<a id="link" href="javascript:window.hacked = 'link'">link</a>
<style>h1 { display: none }</style>
<form id="out" action="https://example.org/"><input name="x"></form>
"""


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a clip whose name, classes, layer and notes are hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    explanation = hostile_explanation(write_clip(folder / "\x1b<b>\udce9\u202e.mp4", 6))
    names = ("markup", "newline", "surrogate", "long", "other scripts")
    few = replace(explanation, maps=tuple(explanation.maps[list(TEXTS).index(n)] for n in names))
    video_cam.render(few.clip.path, few, folder / "out", max_keyframes=2)
    return folder / "out" / "index.html"


@pytest.fixture(scope="module")
def hostile_gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery in which every text of every row is hostile."""
    folder = tmp_path_factory.mktemp("gallery")
    rows = [
        {
            "clip": f"in/{text}",
            "folder": text if name in FOLDERS else None,
            "status": "done",
            "error": text,
            "prediction": {"class_id": 0, "label": text, "score": 0.5, "shown": text},
            "check": {"sentence": text, "drop": 0.5},
        }
        for name, text in TEXTS.items()
    ]
    write_gallery(folder, rows)
    return folder / "index.html"


@pytest.fixture
def open_copy(browser: Any, serve: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """A function that opens a copy of a page with more markup in its body."""
    contexts = []

    def open_(page_file: Path, ready: str, markup: str = "", from_disk: bool = True) -> Any:
        home = tmp_path / "copy"
        shutil.copytree(page_file.parent, home)
        (home / "foreign.js").write_text("window.hacked = 'foreign script'")
        text = (home / "index.html").read_text("utf-8")
        (home / "index.html").write_text(text.replace("<main>", markup + "<main>"), "utf-8")
        contexts.append(browser.new_context())
        page = contexts[-1].new_page()
        page.goto((home / "index.html").as_uri() if from_disk else f"{serve(home)}/index.html")
        page.wait_for_selector(ready, state="attached")
        return page

    yield open_
    for context in contexts:
        context.close()


def _pages(hostile_page: Path, hostile_gallery: Path) -> dict[str, tuple[Path, str]]:
    """Kind of page -> its file, and what is there when its scripts have run."""
    return {
        "page": (hostile_page, "body[data-ready]"),
        "gallery": (hostile_gallery, "#count:not(:empty)"),
    }


@pytest.mark.parametrize("from_disk", [True, False])
@pytest.mark.parametrize("kind", ["page", "gallery"])
def test_what_is_injected_does_not_run(
    kind: str, from_disk: bool, open_copy: Any, hostile_page: Path, hostile_gallery: Path
) -> None:
    file, ready = _pages(hostile_page, hostile_gallery)[kind]
    page = open_copy(file, ready, INJECTED, from_disk)
    address = page.url
    page.evaluate("document.getElementById('link').click()")
    page.evaluate("document.getElementById('out').submit()")
    page.wait_for_timeout(100)
    assert page.evaluate("window.hacked") is None
    assert page.url.split("#")[0] == address.split("#")[0]
    assert page.locator("h1").is_visible()  # the injected style does not count


@pytest.mark.parametrize("served", [False, True])
def test_hostile_texts_on_a_page_that_works(
    served: bool, open_page: Any, serve: Any, hostile_page: Path
) -> None:
    home = serve(hostile_page.parent) if served else hostile_page.parent.as_uri()
    page = open_page(f"{home}/index.html")
    assert page.locator("#class_id option").count() == 5
    assert page.locator("img[src=x], h1 b, [onmouseover]").count() == 0
    shown = page.inner_text("body") + page.inner_text("#stage figcaption")
    assert not {"\x1b", "\u202e", "\0"} & set(shown) and TEXTS["other scripts"] in shown
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_page_in_one_text_keeps_the_policy(open_page: Any, tmp_path: Path) -> None:
    explanation = hostile_explanation(write_clip(tmp_path / "v.mp4", 6))
    few = replace(explanation, maps=explanation.maps[:1])
    text = page_html(Clip.open(tmp_path / "v.mp4"), few, RenderConfig())
    scripts, data = text.count("<script nonce="), text.count('<script type="text/plain" id=')
    assert scripts == 2 and scripts + data == text.count("<script")
    (tmp_path / "whole.html").write_text(text, "utf-8")
    open_page((tmp_path / "whole.html").as_uri())


def test_a_hostile_page_as_one_file_works_and_links_nowhere(
    open_page: Any, hostile_page: Path, tmp_path: Path
) -> None:
    write_single_file(hostile_page.parent, tmp_path / "one.html", 2**24, [].append)
    page = open_page((tmp_path / "one.html").as_uri())
    assert page.locator("img[src=x], h1 b, [onmouseover]").count() == 0
    links = page.evaluate("[...document.links].map((link) => link.getAttribute('href'))")
    assert links == ["#scrub"]


@pytest.mark.parametrize("kind", ["page", "gallery"])
def test_all_addresses_are_beside_the_page(
    kind: str, open_copy: Any, hostile_page: Path, hostile_gallery: Path
) -> None:
    file, ready = _pages(hostile_page, hostile_gallery)[kind]
    page = open_copy(file, ready)
    found = page.evaluate(
        """[...document.querySelectorAll("[href], [src], [action]")]
          .map((element) => element.href ?? element.src ?? element.action)"""
    )
    assert len(found) > 5
    outside = [address for address in found if not address.startswith(("file:///", "data:,"))]
    assert outside == []


def test_scripts_and_styles_need_the_nonce_of_their_page() -> None:
    policy, other = PagePolicy(), PagePolicy()
    assert policy.nonce != other.nonce and len(policy.nonce) > 20
    parts = dict(part.split(" ", 1) for part in str(policy).split("; "))
    assert parts["default-src"] == parts["base-uri"] == parts["form-action"] == "'none'"
    assert parts["script-src"] == parts["style-src"] == f"'nonce-{policy.nonce}'"


def test_the_policy_comes_before_everything_that_it_governs(
    hostile_page: Path, hostile_gallery: Path
) -> None:
    for file in (hostile_page, hostile_gallery):
        before = file.read_text("utf-8").split("Content-Security-Policy")[0]
        assert re.findall(r"<(\w+)", before) == ["html", "head", "meta", "meta"]
