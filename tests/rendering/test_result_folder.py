"""Results appear at once or not at all, and never replace other files."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from tests.support.disk import DiskLog
from video_cam import UsageError
from video_cam.rendering.result_folder import (
    SUMMARY_FILE,
    clear_partial_folders,
    clear_remains,
    replace_folder,
    temporary_folder,
    with_remains,
)


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "outputs" / "clip"
    with replace_folder(target) as folder:
        (folder / SUMMARY_FILE).write_text("{}")
        assert not target.exists()
    assert names(tmp_path) == ["outputs", "outputs/clip", f"outputs/clip/{SUMMARY_FILE}"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_earlier_results_survive_a_failure(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "clip"
    target.mkdir()
    (target / SUMMARY_FILE).write_text("good")
    with pytest.raises(error), replace_folder(target) as folder:
        (folder / SUMMARY_FILE).write_text("half")
        raise error
    assert (target / SUMMARY_FILE).read_text() == "good"
    assert names(tmp_path) == ["clip", f"clip/{SUMMARY_FILE}"]


def test_earlier_results_are_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "clip"
    for content in ("first", "second"):
        with replace_folder(target) as folder:
            (folder / SUMMARY_FILE).write_text(content)
            (folder / content).touch()
    assert names(tmp_path) == ["clip", "clip/second", f"clip/{SUMMARY_FILE}"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_foreign_files_are_not_replaced(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "clip"
    if kind == "folder":
        target.mkdir()
        (target / "thesis.tex").touch()
    else:
        target.touch()
    before = names(tmp_path)
    with pytest.raises(UsageError, match="holds no results of video_cam"), replace_folder(target):
        raise AssertionError("work was begun")
    assert names(tmp_path) == before


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    with replace_folder(tmp_path / "clip") as folder:
        (folder / SUMMARY_FILE).touch()
    assert names(tmp_path) == ["clip", f"clip/{SUMMARY_FILE}"]


def test_a_parent_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "outputs").touch()
    with pytest.raises(UsageError, match="cannot write to"), replace_folder(tmp_path / "outputs/a"):
        pass


def test_what_a_killed_process_moved_away_is_put_back(tmp_path: Path) -> None:
    with replace_folder(tmp_path / "clip") as folder:
        (folder / SUMMARY_FILE).write_text("good")
    with replace_folder(tmp_path / "clip") as folder:  # whose hidden name tells the key
        (folder / SUMMARY_FILE).write_text("good")
        key = folder.name.split(".")[1]
    # As a kill between the two renames leaves it.
    (tmp_path / "clip").rename(tmp_path / f".{key}.0123.old")
    (tmp_path / f".{key}.4567.partial").mkdir()
    (tmp_path / ".other.4567.partial").mkdir()
    clear_remains(tmp_path / "clip")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".other.4567.partial", "clip"]
    assert (tmp_path / "clip" / SUMMARY_FILE).read_text() == "good"


def test_files_are_on_disk_before_the_folder_has_its_name(tmp_path: Path, monkeypatch) -> None:
    target, log = tmp_path / "clip", DiskLog(monkeypatch)
    for _ in range(2):  # a new folder, and one that replaces another
        log.calls.clear()
        with replace_folder(target) as folder:
            (folder / "page").mkdir()
            (folder / "page" / "maps.js").touch()
            (folder / SUMMARY_FILE).touch()
        calls = log.named(tmp_path)
        assert sorted(calls[:2]) == ["sync clip/page/maps.js", f"sync clip/{SUMMARY_FILE}"]
        assert sorted(calls[2:4]) == ["sync clip", "sync clip/page"]
        assert calls[4:] == ["rename clip", "sync ."]


def test_an_error_of_the_disk_keeps_earlier_results(tmp_path: Path, monkeypatch) -> None:
    def fail(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with replace_folder(tmp_path / "clip") as folder:
        (folder / SUMMARY_FILE).write_text("good")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError), replace_folder(tmp_path / "clip") as folder:
        (folder / SUMMARY_FILE).write_text("lost")
    assert (tmp_path / "clip" / SUMMARY_FILE).read_text() == "good"
    assert names(tmp_path) == ["clip", f"clip/{SUMMARY_FILE}"]


def test_a_symbolic_link_is_kept_and_its_folder_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "disk" / "real", tmp_path / "out" / "clip"
    for folder in (real, link.parent):
        folder.mkdir(parents=True)
    link.symlink_to(real)
    for content in ("first", "second"):
        with replace_folder(link) as folder:
            (folder / SUMMARY_FILE).write_text(content)
        assert link.is_symlink() and (real / SUMMARY_FILE).read_text() == content
    assert names(tmp_path) == [
        "disk", "disk/real", f"disk/real/{SUMMARY_FILE}", "out", "out/clip",
    ]  # fmt: skip
    with replace_folder(link) as folder:
        (folder / SUMMARY_FILE).touch()
    folder.mkdir()  # as if the process had been killed before it took its name
    clear_remains(link)
    assert not folder.exists()


@pytest.mark.parametrize("write", [replace_folder, temporary_folder])
def test_what_a_running_process_writes_is_not_removed(tmp_path: Path, write) -> None:
    with write(tmp_path / "clip") as folder:
        clear_remains(tmp_path / "clip")
        clear_partial_folders(tmp_path)
        assert folder.exists()
        (folder / SUMMARY_FILE).touch()


def test_unfinished_folders_of_any_clip_are_removed_and_other_files_are_not(tmp_path: Path) -> None:
    with replace_folder(tmp_path / "clip") as partial:
        (partial / SUMMARY_FILE).touch()
    lock = partial.with_suffix(".lock")
    others = [".backup.partial", ".0123.lock", "notes.partial", f"x{partial.name}"]
    for name in (*others, partial.name):
        (tmp_path / name).mkdir()
    lock.touch()
    # Earlier results that a killed process had moved away: clear_remains restores them.
    (tmp_path / "clip").rename(partial.with_suffix(".old"))
    assert with_remains(tmp_path, ["clip", "another"]) == ["clip"]
    clear_partial_folders(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [*others, partial.with_suffix(".old").name]
    )
    clear_remains(tmp_path / "clip")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*others, "clip"])


def test_without_locks_folders_are_written_and_nothing_is_removed(
    tmp_path: Path, monkeypatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", fail)
    with replace_folder(tmp_path / "clip") as folder:
        clear_partial_folders(tmp_path)
        assert folder.exists()
        (folder / SUMMARY_FILE).touch()
    assert names(tmp_path) == ["clip", f"clip/{SUMMARY_FILE}"]
