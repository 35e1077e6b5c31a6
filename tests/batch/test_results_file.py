"""results.jsonl stays readable after crashes and full disks."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.support.hostile import TEXTS
from video_cam.batch.results_file import RESULTS, append_records, json_line, latest, parse_records


def test_a_line_that_was_cut_off_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / RESULTS
    append_records(path, [{"clip": "a", "status": "done"}])
    with path.open("ab") as file:
        file.write(b'{"clip": "b", "sta')
    append_records(path, [{"clip": "c"}, {"clip": "a", "status": "failed"}])
    records = parse_records(path.read_bytes())
    assert [record["clip"] for record in records] == ["a", "c", "a"]
    assert latest(records) == [{"clip": "a", "status": "failed"}, {"clip": "c"}]


def test_lines_that_hold_no_record_are_skipped() -> None:
    assert parse_records(b'[1]\n{"clip": 3}\n\n{"clip": "a"}\n\xff\n') == [{"clip": "a"}]


def test_a_name_that_is_not_utf8_becomes_an_escape() -> None:
    line = json_line({"clip": os.fsdecode(b"\xe9.mp4"), "label": "é"})
    assert line == b'{"clip": "\\udce9.mp4", "label": "\xc3\xa9"}\n'
    assert parse_records(line)[0]["clip"] == os.fsdecode(b"\xe9.mp4")


def test_a_record_is_one_line_for_every_reader_of_lines() -> None:
    record = {"clip": "a", "label": "".join(TEXTS.values())}
    line = json_line(record)
    assert len(line.decode().splitlines()) == 1 and parse_records(line) == [record]


def test_what_a_full_disk_cuts_off_is_removed_again(tmp_path: Path, monkeypatch) -> None:
    path, write = tmp_path / RESULTS, os.write
    append_records(path, [{"clip": "a"}])
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))
    with pytest.raises(OSError, match="No space left") as caught:
        append_records(path, [{"clip": "b"}])
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == b'{"clip": "a"}\n'
