"""Label files, and classes by number or name."""

from __future__ import annotations

from pathlib import Path

import pytest

from video_cam import UsageError
from video_cam.labels import class_id, read_labels

NAMES = ("dash left", "dash right", "Spin")


def test_text_and_json(tmp_path: Path) -> None:
    (tmp_path / "n.txt").write_bytes("\ufeffdash left\r\ndash right\n\nSpin\n".encode())
    (tmp_path / "n.json").write_text('["dash left", "dash right", "Spin"]')
    assert read_labels(tmp_path / "n.txt") == read_labels(tmp_path / "n.json") == NAMES


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("n.json", b'{"a": 1}', "JSON list of names"),
        ("n.json", b"[1, 2]", "JSON list of names"),
        ("n.json", b"[", "not valid JSON"),
        ("n.txt", b"\xff\xfe\x00", "not UTF-8"),
        (None, b"", "No such file"),
    ],
)
def test_bad_label_files(tmp_path: Path, name, content: bytes, words: str) -> None:
    path = tmp_path / (name or "missing.txt")
    if name:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=words):
        read_labels(path)


@pytest.mark.parametrize(("text", "expected"), [("1", 1), (2, 2), ("DASH LEFT", 0), ("spin", 2)])
def test_a_class_by_number_or_name(text, expected: int) -> None:
    assert class_id(text, NAMES) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3", "class id 3 is outside 0 ... 2"),
        ("-1", "unknown class '-1'"),
        ("dash rigth", "did you mean dash right"),
        ("jump", "choose one of dash left, dash right, Spin"),
    ],
)
def test_a_wrong_class_is_answered(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        class_id(text, NAMES)
