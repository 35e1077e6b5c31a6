"""Lists of clips in .txt and .csv files."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from video_cam import UsageError
from video_cam.batch.clip_lists import LONGEST_PATH, is_list, read_list


def test_a_list_is_known_by_its_suffix(tmp_path: Path) -> None:
    for name in ("list.txt", "LIST.CSV", "clip.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "folder.txt").mkdir()
    names = ("list.txt", "LIST.CSV", "clip.mp4", "folder.txt", "missing.txt", "x" * 300 + ".txt")
    assert [is_list(tmp_path / name) for name in names] == [True, True, False, False, False, False]


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
    ("table", "clips"),
    [
        ("\ufeffclip\r\na.mp4\r\nb.mp4\r\n".encode(), ["a.mp4", "b.mp4"]),
        ("clip,class\na.mp4,\nb.mp4,\n".encode("utf-16"), ["a.mp4", "b.mp4"]),
        (b'text,clip\n"two\nlines",a.mp4\n"",b.mp4\n', ["a.mp4", "b.mp4"]),
        (b"clip,class\na.mp4,run,more\n\nb.mp4\n", ["a.mp4", "b.mp4"]),
        (b'clip,class\n"a.mp4,\nb.mp4,\n', ["a.mp4,", "b.mp4"]),
        (b'clip,class\na.mp4,"run\nb.mp4,grow\nc.mp4,"\n', ["a.mp4", "b.mp4", "c.mp4"]),
        (b'clip,text\na.mp4,"never closed\nb.mp4,closed\n', ["a.mp4", "b.mp4"]),
        (b'clip\n"new\nline.mp4"\nb.mp4\n', ["new\nline.mp4", "b.mp4"]),
        ("clip\na\u2028b.mp4\nc\x0bd.mp4\n".encode(), ["a\u2028b.mp4", "c\x0bd.mp4"]),
        (b"clip\na\0b.mp4\nb.mp4\n", ["a\ufffdb.mp4", "b.mp4"]),
        (b"clip\n" + b"x" * 200_000 + b"\nb.mp4\n", ["x" * LONGEST_PATH, "b.mp4"]),
    ],
    ids=[
        *("byte order mark", "UTF-16", "lines in other columns", "ragged", "open quote"),
        *("two open quotes", "open quote elsewhere", "name of two lines", "separators", "NUL"),
        "huge field",
    ],
)  # fmt: skip
def test_odd_tables_keep_their_clips(table: bytes, clips: list[str], tmp_path: Path) -> None:
    (tmp_path / "new\nline.mp4").touch()
    (tmp_path / "list.csv").write_bytes(table)
    limit = csv.field_size_limit()
    found = [str(Path(name).relative_to(tmp_path)) for name, _ in read_list(tmp_path / "list.csv")]
    assert found == clips
    assert csv.field_size_limit() == limit


def test_text_in_other_encodings_is_a_list(tmp_path: Path) -> None:
    words = tmp_path / "list.txt"
    words.write_text("a.mp4\né.mp4\n", encoding="utf-16")
    assert [Path(name).name for name, _ in read_list(words)] == ["a.mp4", "é.mp4"]
    names = ["视频.mp4".encode("gbk"), b"a\0b.mp4"]
    words.write_bytes(b"\n".join(names))
    assert [Path(name).name for name, _ in read_list(words)] == [
        os.fsdecode(names[0]),
        "a\ufffdb.mp4",
    ]


@pytest.mark.parametrize("suffix", [".txt", ".csv"])
def test_a_binary_file_is_not_a_list(suffix: str, sample_clip: Path, tmp_path: Path) -> None:
    for data in (sample_clip.read_bytes(), "clip\na.mp4\n".encode("utf-16-le")):
        (tmp_path / f"list{suffix}").write_bytes(data)
        with pytest.raises(UsageError, match="is not text: expected one path per line, in UTF-8"):
            read_list(tmp_path / f"list{suffix}")


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
