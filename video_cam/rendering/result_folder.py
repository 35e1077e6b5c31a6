"""Folders of results: they appear whole or not at all, and replace only earlier results.

Beside a folder of results "v" there are hidden ones while a process writes it, with a random part
in their names: .KEY.RANDOM.partial is written, .KEY.RANDOM.old are the earlier results between two
renamings, and .KEY.RANDOM.lock is locked until the process ends.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from video_cam.errors import UsageError
from video_cam.utils.files import make_folder, sync, sync_tree
from video_cam.utils.locks import LockHeld, NoLocks, file_lock

SUMMARY_FILE = "summary.json"  # a folder that holds it is a folder of results
EXPLANATION_FILE = "explanation.npz"
# Beside the folders of results: what the page of all clips loads.
INDEX_DATA = "index_data"
_PARTIAL, _OLD, _LOCK = ".partial", ".old", ".lock"
_HIDDEN_NAME = re.compile(r"\.(?P<key>[0-9a-f]{16})\.[0-9a-f]{12}\.(partial|old|lock)")


@contextmanager
def replace_folder(
    target: Path, marker: str = SUMMARY_FILE, option: str = "--output-dir"
) -> Iterator[Path]:
    """A new folder to write into, which takes the name ``target`` when the block ends well.

    A folder of earlier results is replaced at that moment; where ``target`` is a symbolic link,
    the folder that it points to. All files are on disk before that, and the name is at the end.
    When the block raises, nothing is left of the new folder and ``target`` is unchanged.

    Args:
        target: the final path.
        marker: name of the file by which a folder of earlier results is known.
        option: that chose ``target``, for error messages.

    Raises:
        UsageError: before the block, where ``target`` holds something else than results or cannot
            be written.
        OSError: at its end, where files cannot be written to disk.
    """
    check_target(target, marker, option)
    target = _real(target)
    with _partial_folder(target) as partial:
        yield partial
        sync_tree(partial)
        _swap(partial, target)


def check_target(target: Path, marker: str = SUMMARY_FILE, option: str = "--output-dir") -> None:
    """Check that results may be written to ``target``; creates the folder that contains it.

    Args:
        target, marker, option: as in ``replace_folder``.

    Raises:
        UsageError: where it holds other files than results, or nothing can be written there.
    """
    target = _real(target)
    if target.exists() and not (target / marker).is_file():
        is_taken = not target.is_dir() or any(target.iterdir())
        if is_taken:
            missing = "results" if marker == SUMMARY_FILE else marker
            raise UsageError(
                f"{str(target)!r} exists and holds no {missing} of video_cam, so it is not "
                f"replaced: choose another {option}"
            )
    try:
        make_folder(target.parent)
    except OSError as error:
        raise _cannot_write(target, error, option) from error
    if not os.access(target.parent, os.W_OK):
        raise _cannot_write(target, PermissionError("no permission"), option)


def clear_remains(target: Path, marker: str = SUMMARY_FILE) -> None:
    """Remove what a killed process left beside ``target``, and restore what it had moved away.

    What a running process writes is not touched. Call it under a lock that keeps other processes
    from replacing ``target``.

    Args:
        target, marker: as in ``replace_folder``.
    """
    target = _real(target)
    for hidden in {path.with_suffix("") for path in target.parent.glob(f".{_key(target)}.*")}:
        with suppress(LockHeld, NoLocks, OSError), file_lock(_with(hidden, _LOCK), 0):
            old = _with(hidden, _OLD)
            if not target.exists() and (old / marker).is_file():
                old.rename(target)
            shutil.rmtree(old, ignore_errors=True)
            _remove_partial(hidden)


def clear_partial_folders(folder: Path) -> None:
    """Remove the unfinished folders of killed processes in ``folder``, whatever they were to be.

    What a running process writes is not touched, nor are earlier results that were moved away:
    they are restored by ``clear_remains``.
    """
    for hidden in {path.with_suffix("") for path in _hidden_in(folder) if path.suffix != _OLD}:
        with suppress(LockHeld, NoLocks, OSError), file_lock(_with(hidden, _LOCK), 0):
            _remove_partial(hidden)


def with_remains(folder: Path, names: Iterable[str]) -> list[str]:
    """Those of ``names`` for whose folders of results there are hidden ones in ``folder``."""
    keys = {path.name[1:].partition(".")[0] for path in _hidden_in(folder)}
    return [name for name in names if _key(folder / name) in keys] if keys else []


@contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside ``target``, removed at the end of the block.

    Where the process is killed before, ``clear_remains`` removes it.

    Raises:
        UsageError: where results must not be written to ``target``.
    """
    check_target(target)
    with _partial_folder(_real(target)) as folder:
        yield folder


@contextmanager
def _partial_folder(target: Path) -> Iterator[Path]:
    """A hidden folder beside ``target``, locked and, unless it was renamed, removed at the end."""
    # In the same folder as the target, so that renaming is one step of the file system.
    hidden = target.with_name(f".{_key(target)}.{secrets.token_hex(6)}")
    partial, lock = _with(hidden, _PARTIAL), _with(hidden, _LOCK)
    with ExitStack() as stack:
        try:
            # Where there are no locks, no other process can lock it to remove the folder.
            with suppress(NoLocks):
                stack.enter_context(file_lock(lock, -1))
            stack.callback(lock.unlink, missing_ok=True)
            partial.mkdir()
        except OSError as error:
            raise _cannot_write(target, error) from error
        stack.callback(shutil.rmtree, partial, ignore_errors=True)
        yield partial


def _swap(partial: Path, target: Path) -> None:
    """Rename ``partial`` to ``target``; what was there is restored if that fails."""
    if not target.exists():
        partial.rename(target)
        sync(target.parent)
        return
    old = partial.with_suffix(_OLD)
    target.rename(old)
    try:
        partial.rename(target)
    except OSError:
        old.rename(target)
        raise
    sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _remove_partial(hidden: Path) -> None:
    """Remove an unfinished folder and its lock. To be called under this lock."""
    shutil.rmtree(_with(hidden, _PARTIAL), ignore_errors=True)
    _with(hidden, _LOCK).unlink(missing_ok=True)


def _hidden_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if _HIDDEN_NAME.fullmatch(path.name)]


def _with(hidden: Path, suffix: str) -> Path:
    """.KEY.RANDOM -> .KEY.RANDOM.partial"""
    return hidden.with_name(hidden.name + suffix)


def _real(target: Path) -> Path:
    """The path without symbolic links: what a link points to is replaced, not the link."""
    return Path(os.path.realpath(target))


def _key(target: Path) -> str:
    """A short text in all hidden names that belong to ``target``, however long its own name is."""
    return hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]


def _cannot_write(target: Path, error: OSError, option: str = "--output-dir") -> UsageError:
    reason = error.strerror or str(error)
    where = str(target.parent)
    return UsageError(f"cannot write to {where!r} ({reason}): choose another {option}")
