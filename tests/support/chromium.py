"""A page in Chromium, with what a page in Firefox has, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.support.browser import MAX_WAIT_SECONDS, screenshot_canvas


class ChromiumPage:
    """A page of a running Chromium, in a context of its own.

    Attributes:
        problems: messages of the console, and addresses of other places that were asked for.
    """

    def __init__(self, browser: Any, address: str, before: str, downloads: Path) -> None:
        self.problems: list[str] = []
        self._downloads = downloads
        self._context = browser.new_context(accept_downloads=True)
        self._context.set_default_timeout(1000 * MAX_WAIT_SECONDS)
        self._page = page = self._context.new_page()
        own = (address.split("#")[0].rsplit("/", 1)[0], "data:", "blob:")
        page.on("console", lambda message: self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda r: r.url.startswith(own) or self.problems.append(r.url))
        if before:
            page.add_init_script(before)
        page.goto(address)
        self.evaluate("videoCam.ready")

    def evaluate(self, expression: str, argument: Any = None) -> Any:
        """What a script's expression, its promise, or its function with the argument gives."""
        return self._page.evaluate(expression, argument)

    def reload(self) -> None:
        """Load the page again."""
        self._page.reload()
        self.evaluate("videoCam.ready")

    def press(self, keys: str) -> None:
        """Press a key, as "m" or "Shift+ArrowRight"."""
        self._page.keyboard.press(keys)

    def write(self, text: str) -> None:
        """Type letters into the focused element."""
        self._page.keyboard.type(text)

    def click(self, selector: str) -> None:
        """Click on the first element."""
        self._page.locator(selector).first.click()

    def save(self, selector: str) -> Path:
        """The file that is saved when an element is clicked."""
        with self._page.expect_download() as download:
            self.click(selector)
        path = self._downloads / download.value.suggested_filename
        download.value.save_as(path)
        return path

    def choose_file(self, selector: str, path: Path) -> None:
        """Give a file to a file input."""
        self._page.set_input_files(selector, path)

    def picture(self, panel: int = 0) -> np.ndarray:
        """A panel's pixels, uint8 (H, W, 3) RGB, as the screen shows them."""
        return screenshot_canvas(self._page, panel)

    def close(self) -> None:
        """Close the page."""
        self._context.close()
