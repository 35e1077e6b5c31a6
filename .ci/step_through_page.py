"""Opens a page that was written by the installed wheel, and steps by one frame.

python .ci/step_through_page.py outputs/demo/index.html
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def main(page_file: Path) -> int:
    """Returns: the exit status, 0 where the page does what it should or no browser is there."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        print("there is no chromium: the demonstration's page is not opened", file=sys.stderr)
        return 0
    problems: list[str] = []
    with sync_playwright() as engine:
        chromium = engine.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page()
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        page.goto(page_file.resolve().as_uri())
        page.wait_for_selector("body[data-ready]")
        before = page.evaluate("videoCam.state.frame_index")
        after = page.evaluate(
            "i => videoCam.goto(i).then(() => videoCam.state.frame_index)", before - 1
        )
        chromium.close()
    if after != before - 1:
        problems.append(f"asked for frame {before - 1}, the page shows {after}")
    print(*problems, sep="\n", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
