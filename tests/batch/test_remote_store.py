"""Results at an address, here one in memory."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

import run_video_cam
from tests.support.command import BUNDLED
from tests.support.gallery import keep_few_in_page
from tests.support.media import write_clip
from video_cam import UsageError
from video_cam.batch.remote_store import RemoteStore
from video_cam.batch.store import open_store
from video_cam.rendering.result_folder import INDEX_DATA, SUMMARY_FILE

pytest.importorskip("fsspec", reason="fsspec is not installed: requirements-ray.txt has it")


@pytest.fixture
def address() -> str:
    """A bucket that no other test uses."""
    return f"memory://{uuid.uuid4().hex}/results"


def write(store: RemoteStore, name: str, content: str) -> None:
    with store.writing(name) as folder:
        (folder / "page").mkdir(parents=True)
        (folder / "page" / f"{content}.js").write_text(content)
        (folder / SUMMARY_FILE).write_text(json.dumps({"clip_id": content}))


def test_results_are_uploaded_and_replaced_as_a_whole(address: str) -> None:
    store = RemoteStore(address)
    assert (store.summary("v"), store.owner("v"), list(store.records())) == (None, None, [])
    assert store.names() == set()
    with store.claim("v", 0):
        write(store, "v", "first")
    assert store.names() == {"v"}
    assert store.owner("v") == "first" and store.has_files("v", [SUMMARY_FILE, "page/first.js"])
    write(store, "v", "second")
    assert store.owner("v") == "second" and store.has_files("v", ["page/second.js"])
    assert not store.has_files("v", ["page/first.js"])
    assert store.has_contents("v", {"page/second.js": 6})
    for wrong in ({"page/second.js": 5}, {"page/second.js": 6, "page/first.js": 5}):
        assert not store.has_contents("v", wrong)
    assert store.shown("v/index.html") == f"{address}/v/index.html"


@pytest.mark.parametrize("operation", ["rm", "put_file"])
def test_what_has_a_summary_is_complete(operation: str, address: str, monkeypatch) -> None:
    store = RemoteStore(address)
    write(store, "v", "first")

    def fail(*_: object, **__: object) -> None:
        raise OSError("connection lost")

    monkeypatch.setattr(store._files, operation, fail)
    with pytest.raises(OSError, match="connection lost"):
        write(store, "v", "second")
    assert store.summary("v") is None


def test_removed_results_are_found_by_one_listing(address: str, monkeypatch) -> None:
    store, calls = RemoteStore(address), []
    for name in ("a", "B", "c"):
        write(store, name, name)
    store._files.rm(store._path("c"), recursive=True)
    list_files = store._files.ls

    def count(*words: object, **options: object) -> list[str]:
        calls.append(words)
        return list_files(*words, **options)

    monkeypatch.setattr(store._files, "ls", count)
    monkeypatch.setattr(store._files, "exists", lambda *_: pytest.fail("a request for one clip"))
    assert store.without_results(["a", "B", "c", "d"]) == {"c", "d"}
    assert len(calls) == 1


def test_an_error_while_writing_uploads_nothing(address: str) -> None:
    store = RemoteStore(address)
    with pytest.raises(ValueError), store.writing("v") as folder:
        folder.mkdir()
        (folder / SUMMARY_FILE).write_text("{}")
        raise ValueError
    assert store.summary("v") is None


def test_records_are_appended(address: str) -> None:
    store = RemoteStore(address)
    store.append([])
    store.append([{"clip": "a", "status": "failed"}])
    second, third = ({"clip": name, "status": "done"} for name in "ba")
    store.append([second, third])
    assert list(store.records()) == [third, second]
    store.write_index()
    assert {"results.jsonl", "index.html"} <= store.names()


def test_the_files_of_a_large_page_are_there_before_the_page(address: str, monkeypatch) -> None:
    keep_few_in_page(monkeypatch)
    store = RemoteStore(address)
    store.append([{"clip": f"{number}.mp4", "status": "done"} for number in range(20)])
    puts: list[str] = []
    put_file = store._files.put_file

    def put(local: str, remote: str, **options: object) -> None:
        puts.append(remote)
        put_file(local, remote, **options)

    monkeypatch.setattr(store._files, "put_file", put)
    store.write_index()
    names = [path.rpartition("/")[2] for path in puts]
    assert set(names[1:-2]) >= {"rows-0.js", "rows-4.js", "score.js", "name.js"}
    assert set(names[-2:]) == {"index.html", "results.csv"} and names[0] == "results.jsonl"
    [first] = store._files.ls(store._path(INDEX_DATA), detail=False)
    page = store._files.cat_file(store._path("index.html")).decode()
    assert first.rpartition("/")[2] in page and "<title>results " in page
    store.write_index()
    [second] = store._files.ls(store._path(INDEX_DATA), detail=False)
    assert second != first


def test_an_address_that_fsspec_does_not_know() -> None:
    with pytest.raises(UsageError, match="cannot be opened"):
        open_store("nowhere://bucket")


def test_the_command_finds_its_finished_results(address: str, tmp_path: Path, capsys) -> None:
    clip, store = write_clip(tmp_path / "small.mp4", 4), open_store(address)

    def run(*words: str) -> tuple[str, dict]:
        arguments = ["--clip", str(clip), *BUNDLED, "--max-keyframes", "1", "--output-dir", address]
        assert run_video_cam.main([*arguments, *words]) == 0
        summary = store.summary("small")
        assert summary is not None
        return capsys.readouterr().out, summary

    _, first = run()
    assert store.has_files("small", ["annotated.mp4", "index.html", "keyframes/000000.png"])
    said, second = run()
    assert "nothing has changed" in said and second == first
    _, third = run("--colormap", "jet")
    [record] = store.records()
    assert record["summary_sha256"] == store.summary_sha256("small")
    store._files.pipe_file(store._path("small", "page/thumbnail.jpg"), b"cut off")
    said, _ = run("--colormap", "jet")
    assert "nothing has changed" not in said
    assert third["fingerprint"] != first["fingerprint"]
    assert [record["clip"] for record in store.records()] == [str(clip)]
    assert not list(Path.cwd().glob("memory:*"))
