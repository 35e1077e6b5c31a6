"""Folders of results: they appear whole or not at all, and replace only their own kind."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from video_cam.errors import UsageError

MARK = "summary.json"
_PARTIAL, _OLD = ".partial", ".old"


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


def clear_remains(target: Path) -> None:
    """Remove what a killed process left beside ``target``, and put back what it had moved away.

    To be called under a lock that keeps others from writing ``target``.
    """
    for remains in target.parent.glob(f".{_key(target)}.*"):
        if remains.suffix == _OLD and not target.exists() and (remains / MARK).is_file():
            remains.rename(target)
        else:
            shutil.rmtree(remains, ignore_errors=True)


@contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside ``target``, removed at the end of the block.

    Where the process is killed before, ``clear_remains`` removes it.

    Raises:
        UsageError: where results must not be written to ``target``.
    """
    check_target(target)
    folder = _make_partial(target)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_partial(target: Path) -> Path:
    partial = _hidden_beside(target, _PARTIAL)
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
    old = _hidden_beside(target, _OLD)
    target.rename(old)
    try:
        partial.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _hidden_beside(target: Path, suffix: str) -> Path:
    """A name nobody has, in the same folder, so that renaming it is one step of the file system."""
    return target.with_name(f".{_key(target)}.{secrets.token_hex(6)}{suffix}")


def _key(target: Path) -> str:
    """Which hidden names belong to ``target``; short, whatever its own length."""
    return hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]


def _cannot_write(target: Path, error: OSError) -> UsageError:
    reason = error.strerror or str(error)
    where = str(target.parent)
    return UsageError(f"cannot write to {where!r} ({reason}): choose another --output-dir")
