"""Folders of results: they appear whole or not at all, and replace only their own kind."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from video_cam.errors import UsageError

MARK = "summary.json"


@contextmanager
def replace_folder(target: Path) -> Iterator[Path]:
    """A new folder to write into, which takes the name ``target`` when the block ends well.

    A folder of earlier results is replaced then; anything else under that name is refused with a
    UsageError, before any work. When the block raises, nothing is left and nothing was touched.
    """
    check_target(target)
    partial = _make_partial(target)
    try:
        yield partial
        _swap(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_target(target: Path) -> None:
    """Raise UsageError where results must not go: over foreign files, or where nobody may write."""
    if target.exists() and not (target / MARK).is_file():
        taken = not target.is_dir() or any(target.iterdir())
        if taken:
            raise UsageError(
                f"{str(target)!r} exists and holds no results of video_cam, so it is not replaced: "
                "choose another --output-dir"
            )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(target, error) from error
    if not os.access(target.parent, os.W_OK):
        raise _cannot_write(target, PermissionError("no permission"))


def _make_partial(target: Path) -> Path:
    partial = _hidden_beside(target)
    try:
        partial.mkdir()
    except OSError as error:
        raise _cannot_write(target, error) from error
    return partial


def _swap(partial: Path, target: Path) -> None:
    """Put ``partial`` in the place of ``target``; what was there is put back if that fails."""
    if not target.exists():
        partial.rename(target)
        return
    old = _hidden_beside(target)
    target.rename(old)
    try:
        partial.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _hidden_beside(target: Path) -> Path:
    """A name nobody has, in the same folder, so that renaming it is one step of the file system."""
    return target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}")


def _cannot_write(target: Path, error: OSError) -> UsageError:
    reason = error.strerror or str(error)
    where = str(target.parent)
    return UsageError(f"cannot write to {where!r} ({reason}): choose another --output-dir")
