"""A real browser for the tests of pages: find it, serve pages, read pixels."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import cv2
import numpy as np
import pytest

# The first draws no window of its own, which takes as much time as a small page. Debian has it.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
MAX_WAIT_SECONDS = 120  # for busy machines
# A function that shows a panel's canvas in its own size at the top left; gives width and height.
PLACE_PANEL = """i => {
  const canvas = document.querySelectorAll('#stage canvas')[i];
  canvas.style.cssText =
    `position:fixed;z-index:9;left:0;top:0;border-radius:0;aspect-ratio:auto;
     width:${canvas.width}px;height:${canvas.height}px`;
  return [canvas.width, canvas.height];
}"""
STATE = "videoCam.state"  # of an inspection page, as scripts read it


def find_chromium() -> str | None:
    """The path of an installed Chromium."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """Chromium, driven by Playwright; the test is skipped where one of them is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if find_chromium() is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on a local port, as `python -m http.server` does; yields its address."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # a browser requests many images at once

    with Server(("127.0.0.1", 0), partial(Silent, directory=folder)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def decode_png(data: bytes) -> np.ndarray:
    """uint8 (H, W, 3) RGB."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def read_canvas(page: Any, panel: int = 0) -> np.ndarray:
    """A panel's pixels, uint8 (H, W, 3) RGB; only of a served page."""
    url = page.evaluate(
        "i => document.querySelectorAll('#stage canvas')[i].toDataURL('image/png')", panel
    )
    return decode_png(base64.b64decode(url.split(",")[1]))


def screenshot_canvas(page: Any, panel: int = 0) -> np.ndarray:
    """A panel's pixels on a page from disk, whose canvas may not be read: from a screenshot."""
    page.evaluate(PLACE_PANEL, panel)
    return decode_png(page.locator("#stage canvas").nth(panel).screenshot())


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """The mean absolute difference of two images, in 0 ... 255."""
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b).mean())


def frame_of(page: Any) -> int:
    """The source frame that an inspection page shows."""
    return page.evaluate(f"{STATE}.frame_index")


def goto(page: Any, frame: int) -> None:
    """Show a source frame on an inspection page."""
    page.evaluate("frame => videoCam.goto(frame)", frame)


def change(page: Any, **changes: Any) -> None:
    """Change the state of an inspection page."""
    page.evaluate("changes => videoCam.set(changes)", changes)


def wait_until(page: Any, expression: str) -> None:
    """Wait until a script's expression, or the promise that it gives, is true.

    Playwright's own ``wait_for_function`` compiles the expression in the page, which the policy of
    these pages does not allow.
    """
    is_true = page.evaluate(
        f"""async (milliseconds) => {{
          const deadline = performance.now() + milliseconds;
          while (!(await ({expression}))) {{
            if (performance.now() > deadline) return false;
            await new Promise((resolve) => setTimeout(resolve, 10));
          }}
          // What follows from it is drawn with the next frame.
          await new Promise((resolve) => {{
            requestAnimationFrame(() => requestAnimationFrame(resolve));
            setTimeout(resolve, 500);
          }});
          return true;
        }}""",
        MAX_WAIT_SECONDS * 1000,
    )
    assert is_true, f"never true: {expression}"
