"""Jobs and their records."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from video_cam.batch.inputs import clip_id, find_clips
from video_cam.batch.jobs import (
    SKIPPED,
    Job,
    failed_record,
    finished_record,
    plan_jobs,
)
from video_cam.batch.store import FolderStore
from video_cam.rendering.result_folder import SUMMARY_FILE

SUMMARY = {
    "predictions": [{"class_id": 1, "label": "grow"}, {"class_id": 0, "label": "spin"}],
    "targets": [{"class_id": 0, "label": "spin"}],
    "clip": {"duration_seconds": 2.5},
    "notes": [{"text": "a note", "kind": "information"}],
    "check": {"sentence": "marked region carries the score"},
    "sanity": {"sentence": "the map changes"},
    "motion_test": {"sentence": "it moves", "motion_share": 0.9, "others": []},
    "frame_test": {"sentence": "3 of 16 frames are enough"},
}


def test_shards_divide_the_clips_and_agree_on_their_folders(tmp_path: Path) -> None:
    for name in ("a/v.mp4", "b/v.mp4", "b/w.mp4", "c/x.mp4", "c/y.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    clips, store = find_clips([str(tmp_path / "?")]), FolderStore(tmp_path / "out")
    whole = plan_jobs(clips, store)
    assert whole[0].name == f"v-{clip_id(tmp_path / 'a/v.mp4')}"
    shards = [plan_jobs(clips, store, (index, 3)) for index in (1, 2, 3)]
    assert [len(shard) for shard in shards] == [2, 2, 1]
    assert sorted((j for s in shards for j in s), key=lambda job: job.clip) == whole


def test_classes_of_a_list_go_to_the_job(tmp_path: Path) -> None:
    jobs = plan_jobs({Path("a.mp4"): ("grow", "7")}, FolderStore(tmp_path))
    assert jobs == [Job(Path("a.mp4"), "a", ("grow", "7"))]


class CountingStore(FolderStore):
    """Keeps which folders were asked about and checked."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []
        self.checked: list[str] = []

    def owner(self, name: str) -> str | None:
        self.asked.append(name)
        return super().owner(name)

    def check(self, name: str) -> None:
        self.checked.append(name)
        super().check(name)


def test_planning_reads_no_folder_that_does_not_exist(tmp_path: Path) -> None:
    """Of 100,000 clips, most have no folder yet."""
    store = CountingStore(tmp_path)
    clips = {Path(f"{name}.mp4"): () for name in ("a", "b", "C", "d")}
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / SUMMARY_FILE).write_text(json.dumps({"clip_id": "0" * 12}))
    jobs = plan_jobs(clips, store)
    assert [job.name for job in jobs] == ["a", "b", "C", "d"]
    store.check_all([job.name for job in jobs])
    assert (store.asked, store.checked) == (["C"], ["a", "C"])


def test_the_record_of_a_clip_with_results() -> None:
    record = finished_record(Job(Path("a.mp4"), "a"), SUMMARY, SKIPPED, 1.23456, "0" * 64)
    assert record.finished_at.endswith("+00:00")
    assert json.loads(json.dumps(record.as_json())) == {
        "clip": "a.mp4",
        "folder": "a",
        "status": "skipped",
        "error": None,
        "prediction": {"class_id": 1, "label": "grow"},
        "check": {"sentence": "marked region carries the score"},
        "motion_test": {"sentence": "it moves", "motion_share": 0.9, "others": []},
        "frame_test": {"sentence": "3 of 16 frames are enough"},
        "duration_seconds": 2.5,
        "seconds": 1.235,
        "finished_at": record.finished_at,
        "targets": [{"class_id": 0, "label": "spin"}],
        "notes": [
            {"text": "a note", "kind": "information"},
            {"text": "the map changes", "kind": "information"},
        ],
        "summary_sha256": "0" * 64,
        "truth": None,
        "relative": None,
    }


@pytest.mark.parametrize(
    ("clip", "error", "line"),
    [
        ("a.mp4", "two\n  lines", "a.mp4: two lines"),
        ("a.mp4", "a.mp4: not a video", "a.mp4: not a video"),
        ("a.mp4", "", "a.mp4: unknown error"),
        (os.fsdecode(b"\xe9.mp4"), "bad", "'\\udce9.mp4': bad"),
    ],
    ids=ascii,
)
def test_the_error_of_a_record_is_one_line_with_the_clip(clip: str, error: str, line: str) -> None:
    record = failed_record(Job(Path(clip), "a"), error)
    assert (record.error, record.folder, record.status) == (line, None, "failed")
