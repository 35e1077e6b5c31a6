"""A browser, and pages to open in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import MAX_WAIT_SECONDS, chromium, served
from tests.support.pages import Rendered, make_clip, render_page
from video_cam import Classifier
from video_cam.rendering.page import map_data


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Chromium, until tests of other folders follow: while it runs, no other event loop can."""
    with chromium() as engine:
        yield engine


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """A function that serves a folder until the test ends, and returns its address."""
    with ExitStack() as servers:
        yield lambda folder: servers.enter_context(served(folder))


@pytest.fixture
def open_page(browser: Any, serve: Any) -> Iterator[Callable[..., Any]]:
    """A function that opens an address.

    After the test no message may have been logged, and nothing requested from elsewhere.
    """
    problems: list[str] = []
    contexts = []

    def open_(address: str, *, ready: str = "body[data-ready]", **context: Any) -> Any:
        contexts.append(browser.new_context(accept_downloads=True, **context))
        contexts[-1].set_default_timeout(1000 * MAX_WAIT_SECONDS)
        page = contexts[-1].new_page()
        home = address.split("#")[0].rsplit("/", 1)[0]
        own = (home, "data:", "blob:")
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
        page.on("request", lambda r: r.url.startswith(own) or problems.append(r.url))
        # A video that is loaded in another way instead is given up by the page itself.
        page.on(
            "requestfailed",
            lambda r: r.failure == "net::ERR_ABORTED" or problems.append(f"failed: {r.url}"),
        )
        page.goto(address)
        page.wait_for_selector(ready)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="session")
def rendered(bundled: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Two methods and three classes, in chunks of a few frames."""
    folder = tmp_path_factory.mktemp("clips")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(map_data, "MAX_CHUNK_BYTES", 400)
        return render_page(
            make_clip("h264", folder),
            bundled,
            folder / "out",
            methods=["gradcam", "layercam"],
            top_k=2,
            worst=True,
        )


@pytest.fixture
def page(open_page: Callable[..., Any], rendered: Rendered) -> Any:
    """The page of ``rendered``, opened from disk at its first frame."""
    return open_page((rendered.folder / "index.html").as_uri() + "#frame=0")
