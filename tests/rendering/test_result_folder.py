"""Results appear at once or not at all, and never replace other files."""

from __future__ import annotations

from pathlib import Path

import pytest

from video_cam import UsageError
from video_cam.rendering.result_folder import SUMMARY_FILE, clear_remains, replace_folder


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
