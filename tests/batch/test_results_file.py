"""results.jsonl stays readable after crashes and full disks."""

from __future__ import annotations

import errno
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.support.disk import DiskLog
from tests.support.gallery import write_gallery
from tests.support.hostile import TEXTS
from tests.support.records import latest_in
from video_cam.batch.jobs import ClipRecord
from video_cam.batch.results_file import (
    MAX_LINE_BYTES,
    RESULTS,
    append_records,
    json_line,
    read_lines,
)
from video_cam.utils.notes import Note


def test_a_line_that_was_cut_off_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / RESULTS
    append_records(path, [{"clip": "a", "status": "done"}])
    with path.open("ab") as file:
        file.write(b'{"clip": "b", "sta')
    append_records(path, [{"clip": "c", "status": "done"}, {"clip": "a", "status": "failed"}])
    assert latest_in(path.read_bytes()) == [
        {"clip": "a", "status": "failed"},
        {"clip": "c", "status": "done"},
    ]


GOOD = {"clip": "a", "status": "done"}
SPIN = {"class_id": 1, "label": "spin", "score": 0.9, "shown": "90%"}


def test_lines_of_this_and_of_older_versions_are_records() -> None:
    full = ClipRecord(
        "a",
        "a",
        "done",
        prediction=SPIN,
        duration_seconds=2.0,
        targets=(SPIN,),
        notes=(asdict(Note("n")),),
    )
    lines = [full.as_json(), GOOD, ClipRecord("b", None, "failed", error="bad").as_json()]
    lines[1] = lines[1] | {"clip": "old"}
    assert latest_in(b"".join(map(json_line, lines))) == lines


@pytest.mark.parametrize(
    "line",
    [
        *(b"[1]", b'{"clip": 3}', b"\xff", b"null", b'{"clip": "a"}', b"NaN", b"[" * 100_000),
        b'{"clip": "a", "status": "done", "more": ' + b"[" * 100_000,
        *(
            json_line(GOOD | changes)
            for changes in (
                {"status": "gone"},
                {"status": ["done"]},
                {"folder": "../other"},
                {"folder": ".."},
                {"folder": "/tmp"},
                {"folder": ""},
                {"prediction": {"label": "spin"}},
                {"prediction": SPIN | {"score": "high"}},
                {"check": {"sentence": "good"}},
                {"duration_seconds": "long"},
                {"duration_seconds": -1.0},
                {"notes": 3},
                {"summary_sha256": "0"},
            )
        ),
    ],
    ids=lambda line: repr(line[:60]),
)
def test_lines_that_hold_no_record_are_skipped(line: bytes, tmp_path: Path) -> None:
    data = json_line(GOOD) + b"\n" + line + b"\n" + json_line(GOOD | {"clip": "b"})
    records = latest_in(data)
    assert [record["clip"] for record in records] == ["a", "b"]
    write_gallery(tmp_path, records)


def test_damaged_lines_are_told_once(caplog) -> None:
    data = b"{\n" * 1234 + json_line(GOOD)
    for _ in range(2):
        assert latest_in(data) == [GOOD]
    assert caplog.messages == ["1234 damaged lines of results.jsonl are ignored"]


def test_what_is_too_long_for_a_line_is_never_held_as_a_whole(tmp_path: Path, caplog) -> None:
    path = tmp_path / RESULTS
    path.write_bytes(json_line(GOOD) + b"x" * (2 * MAX_LINE_BYTES) + b"\n" + json_line(GOOD))
    assert max(map(len, read_lines(path))) == MAX_LINE_BYTES
    other = GOOD | {"clip": "b"}
    assert latest_in(path.read_bytes() + json_line(other)) == [GOOD, other]


def test_a_name_that_is_not_utf8_becomes_an_escape() -> None:
    line = json_line({"clip": os.fsdecode(b"\xe9.mp4"), "status": "done", "error": "é"})
    assert line == b'{"clip": "\\udce9.mp4", "status": "done", "error": "\xc3\xa9"}\n'
    assert latest_in(line)[0]["clip"] == os.fsdecode(b"\xe9.mp4")


def test_a_record_is_one_line_for_every_reader_of_lines() -> None:
    record = {"clip": "a", "status": "failed", "error": "".join(TEXTS.values())}
    line = json_line(record)
    assert len(line.decode().splitlines()) == 1 and latest_in(line) == [record]


def test_what_a_full_disk_cuts_off_is_removed_again(tmp_path: Path, monkeypatch) -> None:
    path, write = tmp_path / RESULTS, os.write
    append_records(path, [{"clip": "a"}])
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))
    with pytest.raises(OSError, match="No space left") as caught:
        append_records(path, [{"clip": "b"}])
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == b'{"clip": "a"}\n'


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_pipe_or_a_folder_in_the_files_place(make, tmp_path: Path) -> None:
    make(tmp_path / RESULTS)
    with pytest.raises(OSError, match=r"regular file|Is a directory"):
        append_records(tmp_path / RESULTS, [{"clip": "a"}])


def test_a_line_and_the_files_name_are_on_disk(tmp_path: Path, monkeypatch) -> None:
    log = DiskLog(monkeypatch)
    append_records(tmp_path / RESULTS, [{"clip": "a"}])
    assert [call for call, _ in log.calls] == ["write", "sync", "sync"]
    assert log.named(tmp_path) == [f"sync {RESULTS}", "sync ."]
    append_records(tmp_path / RESULTS, [{"clip": "b"}])
    assert log.named(tmp_path)[2:] == [f"sync {RESULTS}"]
