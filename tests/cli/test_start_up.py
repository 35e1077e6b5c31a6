"""What the command does not import before it needs it, as importing it takes long."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.command import ROOT


def imported_at_once(path: Path) -> set[str]:
    """The modules that a file imports when it is imported itself."""
    names: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def file_of(module: str) -> Path | None:
    base = ROOT / module.replace(".", "/")
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


def all_imported(module: str) -> set[str]:
    found, waiting = set(), {module}
    while waiting:
        name = waiting.pop()
        found.add(name)
        path = file_of(name)
        if path is not None:
            waiting |= imported_at_once(path) - found
    return {name.split(".")[0] for name in found}


def test_explaining_and_drawing_imports_no_matplotlib() -> None:
    assert {"torch", "cv2", "video_cam"} <= all_imported("video_cam.pipeline")
    assert "matplotlib" not in all_imported("video_cam.pipeline")
    assert "matplotlib" in all_imported("video_cam.rendering.figure")


def test_parsing_the_command_imports_no_torch() -> None:
    assert "torch" not in all_imported("video_cam.cli.main")
