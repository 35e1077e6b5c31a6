"""Lists of clips in .txt and .csv files."""

from __future__ import annotations

from pathlib import Path

import pytest

from video_cam import UsageError
from video_cam.batch.clip_lists import is_list, read_list


def test_a_list_is_known_by_its_suffix(tmp_path: Path) -> None:
    for name in ("list.txt", "LIST.CSV", "clip.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "folder.txt").mkdir()
    names = ("list.txt", "LIST.CSV", "clip.mp4", "folder.txt", "missing.txt")
    assert [is_list(tmp_path / name) for name in names] == [True, True, False, False, False]


def test_text_has_one_path_per_line(tmp_path: Path) -> None:
    words = tmp_path / "list.txt"
    words.write_text("\ufeff# a comment\n\n/abs/a.mp4\r\nb/v.mp4\n a/*.mp4 \n")
    assert read_list(words) == [
        ("/abs/a.mp4", None),
        (str(tmp_path / "b/v.mp4"), None),
        (str(tmp_path / "a/*.mp4"), None),
    ]


def test_csv_has_a_column_of_clips_and_one_of_classes(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text('Class, Clip\n"arm wrestling, wrist",a.mp4\n,b.mp4\n7,\n 7 ,c.mp4\n')
    assert read_list(table) == [
        (str(tmp_path / "a.mp4"), "arm wrestling, wrist"),
        (str(tmp_path / "b.mp4"), None),
        (str(tmp_path / "c.mp4"), "7"),
    ]


def test_csv_needs_no_column_of_classes(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("file\na.mp4\n")
    assert read_list(tmp_path / "list.csv") == [(str(tmp_path / "a.mp4"), None)]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("list.txt", "\n# nothing\n", "lists no clips"),
        ("list.csv", "file name,class\na.mp4,1\n", 'no column "clip"'),
        ("list.csv", "clip,class\n", "lists no clips"),
        ("list.csv", "", 'no column "clip"'),
    ],
)
def test_a_list_without_clips(name: str, text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=words):
        read_list(tmp_path / name)


def test_a_list_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_list(tmp_path / "missing.txt")
