"""A real browser for the tests of pages: what they open, read and compare."""

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

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """The path of an installed Chromium."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder on a local port, as `python -m http.server` has it; yields its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    class Patient(ThreadingHTTPServer):
        request_queue_size = 64  # a browser asks for many pictures at once

    with Patient(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
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
    """A panel's own pixels, uint8 (H, W, 3); of a page that is served."""
    url = page.evaluate(
        "i => document.querySelectorAll('#stage canvas')[i].toDataURL('image/png')", panel
    )
    return decode_png(base64.b64decode(url.split(",")[1]))


def photograph_canvas(page: Any, panel: int = 0) -> np.ndarray:
    """The same from a page on disk, whose canvas may not be read: shown at its size, and shot."""
    page.evaluate(
        """i => {
          const canvas = document.querySelectorAll('#stage canvas')[i];
          canvas.style.cssText =
            `position:fixed;z-index:9;left:0;top:0;border-radius:0;aspect-ratio:auto;
             width:${canvas.width}px;height:${canvas.height}px`;
        }""",
        panel,
    )
    return decode_png(page.locator("#stage canvas").nth(panel).screenshot())


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """The mean absolute difference of two pictures, of 255."""
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b).mean())
