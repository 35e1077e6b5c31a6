"""The parts of the page that are not controls: the status line and the result, as HTML."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from jinja2 import PackageLoader

from video_cam.app.engine import Engine, Result, Task
from video_cam.app.guard import RESULTS_PATH
from video_cam.app.live_reporter import Stage
from video_cam.rendering.page.assets import ENVIRONMENT

ARCHIVE_PATH = "/archive"
_TEMPLATES = ENVIRONMENT.overlay(loader=PackageLoader("video_cam.app"))
_TESTS = ("check", "sanity", "motion_test", "frame_test")
_UNITS = ("B", "kB", "MB", "GB")


def line_html(text: str, kind: str = "quiet") -> str:
    """A line beside a control: "quiet" or "error"."""
    line = _TEMPLATES.from_string('<p class="vc-{{ kind }}">{{ text }}</p>')
    return line.render(text=text, kind=kind)


def status_html(text: str, stage: Stage | None = None, kind: str = "busy") -> str:
    """The status line.

    Args:
        text: what happens or happened, in one line.
        stage: how far it has come.
        kind: "busy", "done" or "error".
    """
    return _TEMPLATES.get_template("status.html").render(text=text, stage=stage, kind=kind)


def task_html(engine: Engine, task: Task) -> str:
    """The status line of a task that waits or runs."""
    ahead = engine.position(task)
    if task.is_cancelled.is_set():
        return status_html("Cancelling ...")
    if ahead:
        return status_html(f"Waiting: {ahead} explanation{'' if ahead == 1 else 's'} before this.")
    stage = engine.stage
    if stage is None:
        return status_html("Preparing: the network is loaded ...")
    return status_html(f"{stage.name}: {stage.done} of {stage.total}", stage)


def result_html(root: Path, result: Result) -> str:
    """A clip's predictions, notes, annotated video and page, with links to its files.

    Args:
        root: the output folder.
    """
    summary, folder = result.summary, root / result.folder
    return _TEMPLATES.get_template("result.html").render(
        summary=summary,
        clip=Path(summary["clip"]["path"]).name,
        predictions=summary["predictions"],
        sentences=[summary[name]["sentence"] for name in _TESTS if summary.get(name)],
        messages=result.messages,
        address=f"{RESULTS_PATH[1:]}/{result.folder}",
        archive=f"{ARCHIVE_PATH[1:]}/{result.folder}",
        list_address=f"{RESULTS_PATH[1:]}/index.html",
        files=_files(folder),
        # A browser keeps a video that it has shown, also where another run has replaced it.
        version=int(time.time()),
    )


def _files(folder: Path) -> list[dict[str, Any]]:
    """The files of a folder of results for people: name and size."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return [{"name": path.name, "size": _size(path.stat().st_size)} for path in files]


def _size(num_bytes: float) -> str:
    """A number of bytes in the unit that suits it."""
    for unit in _UNITS:
        if num_bytes < 1000 or unit == _UNITS[-1]:
            break
        num_bytes /= 1000
    return f"{num_bytes:.0f} {unit}" if unit == _UNITS[0] else f"{num_bytes:.1f} {unit}"
