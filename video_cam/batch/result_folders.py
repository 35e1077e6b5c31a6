"""Where the results of clips lie in the output folder of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from video_cam.batch.results_file import RESULTS
from video_cam.rendering.result_folder import SUMMARY_FILE


def result_folders(root: Path) -> Iterator[str]:
    """The names of the folders of clips, which may lie in others: from ``root``, with /."""
    return _below(root, root)


def _below(root: Path, folder: Path) -> Iterator[str]:
    is_output_folder = os.path.lexists(root / RESULTS)
    for path in folder.iterdir():
        if not path.is_dir():
            continue
        if os.path.lexists(path / SUMMARY_FILE):
            yield path.relative_to(root).as_posix()
        elif is_output_folder and not path.is_symlink() and not path.name.startswith("."):
            yield from _below(root, path)
