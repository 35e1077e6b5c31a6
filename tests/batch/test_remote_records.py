"""Records at an address: nothing is written twice over, and nothing is lost."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.records import latest_in
from video_cam.batch.remote_records import PARTS_TO_JOIN, SECONDS_TO_KEEP, RemoteRecords
from video_cam.batch.results_file import RESULTS, json_line

memory = pytest.importorskip(
    "fsspec.implementations.memory", reason="fsspec is not installed: requirements-ray.txt has it"
)


class CountingFiles(memory.MemoryFileSystem):
    """A bucket in memory that counts the bytes which are written to it."""

    cachable = False
    written = 0

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        self.written += len(value)
        super().pipe_file(path, value, **options)


@pytest.fixture
def files() -> CountingFiles:
    return CountingFiles()


@pytest.fixture
def root() -> str:
    """A folder that no other test uses, whose name is a pattern too."""
    return f"/{uuid.uuid4().hex}/run [1]*"


def record(number: int, **values: Any) -> dict[str, Any]:
    return {"clip": f"{number}.mp4", "status": "done", "text": "x" * 200} | values


def written_results(records: RemoteRecords, folder: Path) -> list[dict[str, Any]]:
    """The lines of the local copy of results.jsonl."""
    records.write_results(folder / RESULTS)
    return latest_in((folder / RESULTS).read_bytes())


def results(files: CountingFiles, root: str) -> list[dict[str, Any]]:
    """The lines of results.jsonl."""
    return latest_in(files.cat_file(f"{root}/{RESULTS}"))


def test_each_record_is_written_a_few_times_and_files_stay_few(
    files: CountingFiles, root: str
) -> None:
    """The whole file for each record would be 500 times as much."""
    written = [record(number) for number in range(1000)]
    records = RemoteRecords(files, root)
    for one in written:
        records.append([one])
    assert files.written <= 2 * sum(len(json_line(one)) for one in written)
    assert len(files.find(root)) < PARTS_TO_JOIN + 1000 / PARTS_TO_JOIN
    assert list(records.read()) == list(RemoteRecords(files, root).read()) == written


def test_results_of_an_earlier_version_are_the_oldest_records(
    files: CountingFiles, root: str, tmp_path: Path
) -> None:
    records = RemoteRecords(files, root)
    assert list(records.read()) == written_results(records, tmp_path) == []
    assert not files.exists(f"{root}/{RESULTS}")
    lines = [record(0, status="failed"), record(1)]
    files.pipe_file(f"{root}/{RESULTS}", b"".join(map(json_line, lines)))
    records.append([record(2), record(0)])
    expected = [record(0), record(1), record(2)]
    assert list(records.read()) == written_results(records, tmp_path) == expected
    assert results(files, root) == list(records.read()) == expected


def test_old_parts_are_removed_when_results_are_written(
    files: CountingFiles, root: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else ten thousand commands for one clip each would leave as many files to be read."""
    now = time.time_ns
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: now() - int(1.1e9 * SECONDS_TO_KEEP))
        for number in range(5):
            RemoteRecords(files, root).append([record(number)])
    records = RemoteRecords(files, root)
    records.append([record(5)])
    assert len(files.ls(f"{root}/.results")) == 6
    assert written_results(records, tmp_path) == [record(number) for number in range(6)]
    assert len(files.ls(f"{root}/.results")) == 1  # it may be too new for a run that ends now
    assert list(records.read()) == [record(number) for number in range(6)]


def test_runs_at_the_same_time_lose_nothing(
    files: CountingFiles, root: str, tmp_path: Path
) -> None:
    """Each removes its own parts only, also while another one ends."""
    runs = [RemoteRecords(files, root) for _ in range(2)]
    for number in range(PARTS_TO_JOIN + 5):
        for index, run in enumerate(runs):
            run.append([record(1000 * index + number)])
        if number == PARTS_TO_JOIN - 5:
            written_results(runs[0], tmp_path)
    numbers = [*range(PARTS_TO_JOIN + 5)]
    expected = {f"{1000 * index + number}.mp4" for index in range(2) for number in numbers}
    assert {one["clip"] for one in runs[1].read()} == expected


def test_parts_that_are_joined_while_they_are_read(files: CountingFiles, root: str) -> None:
    writer, reader = RemoteRecords(files, root), RemoteRecords(files, root)
    for number in range(PARTS_TO_JOIN - 1):
        writer.append([record(number)])
    listed = files.ls(f"{root}/.results", detail=False)

    def list_and_join(*_: Any, **__: Any) -> list[str]:
        del files.ls  # the next listing is a true one
        writer.append([record(PARTS_TO_JOIN - 1)])
        return listed

    files.ls = list_and_join
    assert len(list(reader.read())) == PARTS_TO_JOIN


@pytest.mark.parametrize("failing", [1, 2, 100])
def test_joining_that_fails_loses_nothing(failing: int, files: CountingFiles, root: str) -> None:
    """The connection is lost at the joined part, or at one of the files to be removed."""
    records, calls = RemoteRecords(files, root), 0
    for number in range(PARTS_TO_JOIN - 1):
        records.append([record(number)])
    pipe_file, rm_file = files.pipe_file, files.rm_file

    def fail_once(call: Any, *arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == failing + 1:  # the first call writes the record itself
            raise OSError("connection lost")
        call(*arguments)

    files.pipe_file = lambda *arguments: fail_once(pipe_file, *arguments)
    files.rm_file = lambda *arguments: fail_once(rm_file, *arguments)
    for number in range(PARTS_TO_JOIN - 1, 2 * PARTS_TO_JOIN):
        records.append([record(number)])
    assert calls > failing + 1
    expected = {f"{number}.mp4" for number in range(2 * PARTS_TO_JOIN)}
    assert {one["clip"] for one in RemoteRecords(files, root).read()} == expected


def test_a_record_that_cannot_be_written_is_an_error(
    files: CountingFiles, root: str, tmp_path: Path
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("connection lost")

    records = RemoteRecords(files, root)
    files.pipe_file = fail
    with pytest.raises(OSError, match="connection lost"):
        records.append([record(0)])
    assert list(records.read()) == []
