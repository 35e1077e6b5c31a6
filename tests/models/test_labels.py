"""Label files of every form, and classes by number or name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.hostile import TEXTS
from video_cam import UsageError
from video_cam.models import labels
from video_cam.models.labels import class_id, count_labels, read_labels

NAMES = ("dash left", "dash right", "Spin")


def test_text_and_json(tmp_path: Path) -> None:
    (tmp_path / "n.txt").write_bytes("\ufeffdash left\r\ndash right\n\nSpin\n".encode())
    (tmp_path / "n.json").write_text('["dash left", "dash right", "Spin"]')
    assert read_labels(tmp_path / "n.txt") == read_labels(tmp_path / "n.json") == NAMES


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("dict.json", '{"0": "dash left", "2": "Spin", "1": "dash right"}'),
        ("index.json", '{"0": ["n1", "dash left"], "1": ["n2", "dash right"], "2": ["n", "Spin"]}'),
        ("ids.json", '{"Spin": 2, "dash left": 0, "dash right": 1}'),
        ("dict.txt", "{0: 'dash left',\n 1: 'dash right',\n 2: 'Spin'}"),
        ("list.txt", "['dash left', 'dash right', 'Spin']"),
        ("dict.py", '{0: "dash left", 1: "dash right", 2: "Spin",}'),
    ],
)
def test_other_forms(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert read_labels(tmp_path / name) == NAMES


def test_the_number_of_labels(tmp_path: Path) -> None:
    (tmp_path / "n.txt").write_text("dash left\n\nSpin\n")
    assert count_labels(tmp_path / "n.txt") == count_labels(str(tmp_path / "n.txt")) == 2
    assert count_labels(NAMES) == 3


def test_code_in_a_label_file_is_not_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    line = f"{{0: __import__('os').mkdir({str(made)!r})}}"
    (tmp_path / "n.py").write_text(line)
    assert read_labels(tmp_path / "n.py") == (line,)
    assert not made.exists()
    eval(line)
    assert made.exists()  # the line is one that makes a folder where it is run


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("n.json", b'{"a": 1}', "number its 1 classes from 0 to 0"),
        ("n.json", b"[1, 2]", "must hold a list of names, or a dict"),
        ("n.txt", b"{0: 'a', 2: 'b'}", "number its 2 classes from 0 to 1"),
        ("n.py", b"{0: 1, 1: ['x']}", "must hold a list of names, or a dict"),
        ("n.json", b"[", "not valid JSON"),
        ("n.json", b"[" * 100_000, "not valid JSON"),
        ("n.json", b"[NaN]", "not valid JSON"),
        ("n.json", b"9" * 10_000, "not valid JSON"),
        ("n.json", b'{"' + b"9" * 10_000 + b'": "a"}', "must hold a list of names, or a dict"),
        ("n.txt", b"{" + b"9" * 10_000 + b": 'a', 'b': 'c'}\n[", "expected at most"),
        ("n.txt", b"[" + b"-" * 100_000 + b"1]", "expected at most"),
        ("n.txt", b"[" + b"1+" * 100_000 + b"1]", "expected at most"),
        ("n.txt", b"\xff\xfe\x00", "not UTF-8"),
        ("zero\0.txt", None, "null byte"),
        (
            "n.txt",
            b"a\n" + b"x" * 10_001,
            "the name of class 1 has 10001 letters, expected",
        ),
        (None, b"", "No such file"),
    ],
)
def test_bad_label_files(tmp_path: Path, name, content, words: str) -> None:
    path = tmp_path / (name or "missing.txt")
    if name and content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        read_labels(path)
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_no_label_file_is_refused_at_once(tmp_path: Path, monkeypatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_text("a\n" * 10)
    monkeypatch.setattr(labels, "MAX_BYTES", 10)
    for name, words in (("pipe", "Invalid argument|not a regular"), ("large", "larger than 10")):
        with pytest.raises(UsageError, match=words):
            read_labels(tmp_path / name)


@pytest.mark.parametrize(("text", "expected"), [("1", 1), (2, 2), ("DASH LEFT", 0), ("spin", 2)])
def test_a_class_by_number_or_name(text, expected: int) -> None:
    assert class_id(text, NAMES) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3", "class id 3 is outside 0 ... 2"),
        ("-1", "unknown class '-1'"),
        ("9" * 5000, "unknown class '9999"),
        ("dash rigth", "did you mean dash right"),
        ("jump", "choose one of dash left, dash right, Spin"),
    ],
)
def test_an_unknown_class_is_answered_with_near_names(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        class_id(text, NAMES)


@pytest.mark.filterwarnings("error")
def test_any_name_can_be_read(tmp_path: Path) -> None:
    one_line = [text for text in TEXTS.values() if text.strip() and not {"\n", "\r"} & set(text)]
    (tmp_path / "n.json").write_text(json.dumps(list(TEXTS.values())))
    assert read_labels(tmp_path / "n.json") == tuple(TEXTS.values())
    utf8 = [text for text in one_line if "\ud800" not in text]
    (tmp_path / "n.txt").write_text("\n".join(utf8), encoding="utf-8")
    assert read_labels(tmp_path / "n.txt") == tuple(text.strip() for text in utf8)
    (tmp_path / "call.txt").write_text("[1(2), '\\d']")  # the compiler warns of both
    assert read_labels(tmp_path / "call.txt") == ("[1(2), '\\d']",)


def test_a_number_that_no_network_has_is_a_name() -> None:
    with pytest.raises(UsageError, match="unknown class '999"):
        class_id("9" * 5000, NAMES)
    with pytest.raises(UsageError, match="outside 0"):
        class_id("9" * 18, NAMES)
