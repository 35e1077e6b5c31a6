"""The folder of an export: it appears whole or not at all, and replaces only earlier exports."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from video_cam.errors import UsageError, VideoCamError
from video_cam.export.results import Result, find_results
from video_cam.rendering.result_folder import clear_remains, replace_folder
from video_cam.utils.files import StrPath, write_atomically
from video_cam.utils.reporter import Reporter, SilentReporter
from video_cam.utils.text import json_text
from video_cam.utils.version import __version__

MARKER = "export.json"  # a folder that holds it is an export and may be replaced by another one


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: of the export.
        clips: names of the clips in it.
        left_out: name of each clip that could not be exported -> why.
        notes: what a reader of the files should know, one line each.
    """

    folder: Path
    clips: tuple[str, ...]
    left_out: dict[str, str]
    notes: tuple[str, ...]


class Writer(Protocol):
    """Writes one format.

    Attributes:
        format: its name.
        notes: what a reader of the files should know; grows while clips are written.
    """

    format: str
    notes: list[str]

    def add(self, result: Result, folder: Path) -> None:
        """Write the files of one clip.

        Args:
            result: of the clip.
            folder: its own, which exists; removed where this raises.
        """

    def finish(self, folder: Path) -> None:
        """Write the files of all clips together into the folder of the export."""


def export_with(
    writer: Writer,
    results: StrPath,
    output: StrPath | None,
    map_indices: Sequence[int] = (),
    reporter: Reporter | None = None,
) -> Exported:
    """Write a new folder with the files of one format.

    Args:
        writer: of the format.
        results: the folder of one clip, or the output folder of a run.
        output: the folder to write; None for exports/<name of the results>-<format>.
        map_indices: the maps, counted from 0; empty for all.
        reporter: is told of each clip that cannot be exported, which is left out; None raises.

    Raises:
        UsageError: where there are no results, where none can be exported, or where the folder
            cannot be written or holds something else than an export.
        VideoCamError: for the first clip that cannot be exported, without ``reporter``.
    """
    found = find_results(results, map_indices)
    name = f"{Path(results).resolve().name}-{writer.format}"
    target = Path("exports") / name if output is None else Path(output)
    _check_outside(Path(results), target)
    progress = (reporter or SilentReporter()).progress
    left_out: dict[str, str] = {}
    with replace_folder(target, MARKER, "--output") as partial:
        with progress(writer.format, len(found)) as step:
            for result in found:
                problem = _add(writer, result, partial / result.name, reporter)
                if problem is not None:
                    left_out[result.name] = problem
                step(1)
        clips = [result.name for result in found if result.name not in left_out]
        if not clips:
            raise UsageError(f"none of {len(found)} clips can be exported")
        writer.finish(partial)
        notes = tuple(dict.fromkeys(writer.notes))
        content = {
            "format": writer.format,
            "video_cam": __version__,
            "clips": clips,
            "left_out": left_out,
            "notes": notes,
        }
        write_atomically(partial / MARKER, f"{json_text(content, indent=2)}\n".encode())
    clear_remains(target, MARKER)
    return Exported(target, tuple(clips), left_out, notes)


def _add(writer: Writer, result: Result, folder: Path, reporter: Reporter | None) -> str | None:
    """Write one clip; what prevents it, or None."""
    folder.mkdir(parents=True)
    try:
        writer.add(replace(result), folder)  # a copy, so that no more than one keeps its maps
    except VideoCamError as error:
        if reporter is None:
            raise
        shutil.rmtree(folder)
        reporter.error(f"{result.name}: {error}")
        return str(error)
    return None


def _check_outside(results: Path, target: Path) -> None:
    """Results are compared with what was written, so that other files in them count as damage."""
    if Path(os.path.realpath(target)).is_relative_to(os.path.realpath(results)):
        raise UsageError(
            f"{str(target)!r} lies in the results {str(results)!r}: choose another --output"
        )
