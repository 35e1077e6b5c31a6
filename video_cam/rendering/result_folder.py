"""Folders of results: they appear whole or not at all, and replace only earlier results."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from video_cam.errors import UsageError

SUMMARY_FILE = "summary.json"  # a folder that holds it is a folder of results
_PARTIAL, _OLD = ".partial", ".old"


@contextmanager
def replace_folder(target: Path) -> Iterator[Path]:
    """A new folder to write into, which takes the name ``target`` when the block ends well.

    A folder of earlier results is replaced at that moment. When the block raises, nothing is left
    of the new folder and ``target`` is unchanged.

    Raises:
        UsageError: before the block, where ``target`` holds something else than results or cannot
            be written.
    """
    check_target(target)
    partial = _make_partial(target)
    try:
        yield partial
        _swap(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_target(target: Path) -> None:
    """Check that results may be written to ``target``; creates the folder that contains it.

    Raises:
        UsageError: where it holds other files than results, or nothing can be written there.
    """
    if target.exists() and not (target / SUMMARY_FILE).is_file():
        is_taken = not target.is_dir() or any(target.iterdir())
        if is_taken:
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
    """Remove what a killed process left beside ``target``, and restore what it had moved away.

    Call it under a lock that keeps other processes from writing ``target``.
    """
    for remains in target.parent.glob(f".{_key(target)}.*"):
        if remains.suffix == _OLD and not target.exists() and (remains / SUMMARY_FILE).is_file():
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
    """Rename ``partial`` to ``target``; what was there is restored if that fails."""
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
    """An unused name in the same folder, so that renaming is one step of the file system."""
    return target.with_name(f".{_key(target)}.{secrets.token_hex(6)}{suffix}")


def _key(target: Path) -> str:
    """A short text in all hidden names that belong to ``target``, however long its own name is."""
    return hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]


def _cannot_write(target: Path, error: OSError) -> UsageError:
    reason = error.strerror or str(error)
    where = str(target.parent)
    return UsageError(f"cannot write to {where!r} ({reason}): choose another --output-dir")
