"""Which predictions changed from run to run."""

from __future__ import annotations

from typing import Any

import pytest

from video_cam.evaluation.comparison import compare


def record(clip: str, label: str, truth: str | None = "spin", **more: Any) -> dict[str, Any]:
    return {
        "clip": f"/in/{clip}",
        "folder": clip,
        "status": "done",
        "prediction": {"class_id": 0, "label": label, "score": 0.5, "shown": "50%"},
        "truth": None if truth is None else {"label": truth},
    } | more


@pytest.mark.parametrize(
    ("labels", "truth", "change"),
    [
        (("spin", "spin"), "spin", "same"),
        (("grow", "grow"), "spin", "same"),
        (("spin", "grow"), "spin", "broken"),
        (("grow", "spin"), "spin", "fixed"),
        (("grow", "blink"), "spin", "changed"),
        (("grow", "blink"), None, "changed"),
        (("spin", "spin", "grow"), "spin", "broken"),
        (("grow", "blink", "spin"), "spin", "fixed"),
    ],
)
def test_a_change_is_one_from_the_first_run(labels: Any, truth: str | None, change: str) -> None:
    runs = [[record("a", label, truth)] for label in labels]
    [clip] = compare([str(n) for n in range(len(runs))], runs).clips
    assert (clip.labels, clip.change) == (labels, change)


def test_clips_that_a_run_lacks_or_failed_on_are_counted() -> None:
    failed = {"clip": "/in/c", "folder": None, "status": "failed"}
    one = [record("a", "spin"), record("b", "spin"), record("c", "spin")]
    found = compare(["A", "B"], [one, [record("a", "grow"), failed, record("d", "spin")]])
    assert [clip.name for clip in found.clips] == ["/in/a"] and found.num_left_out == 3
    assert found.sentences()[-1] == "3 clips are left out: not every run has finished them"
    fewer = compare(["A", "B"], [one[:2], [record("a", "grow")]])
    assert fewer.sentences()[-1] == "1 clip is left out: not every run has finished it"


def test_clips_are_known_by_relative_paths_and_by_folders() -> None:
    one = [record("a", "spin", relative="spin/a.mp4"), record("b", "spin", relative="spin/b.mp4")]
    moved = [record("x", "grow", relative="spin/a.mp4", folder="y")]
    [clip] = compare(["A", "B"], [one, moved]).clips
    assert (clip.name, clip.change) == ("spin/a.mp4", "broken")
    [clip] = compare(["A", "B"], [[record("a", "spin")], [record("b", "grow", folder="a")]]).clips
    assert clip.name == "/in/a"


def test_accuracies_and_their_difference() -> None:
    first = [record(str(n), "spin") for n in range(4)]
    second = [record(str(n), "spin" if n else "grow") for n in range(4)]
    found = compare(["A", "B"], [first, second])
    assert [one.mean for one in found.accuracies] == [1.0, 0.75]
    [difference] = found.differences
    assert difference.mean == -0.25 and difference.low <= -0.25 <= difference.high <= 0
    said = found.sentences()
    assert said[:2] == [
        "1 of 4 predictions changed: 0 fixed, 1 broken, 0 to another class",
        "accuracy: A 100.0 %, B 75.0 %",
    ]
    assert said[2].startswith("B minus A: -25.0 percentage points (95 % bootstrap interval")


def test_one_clip_has_no_interval() -> None:
    found = compare(["A", "B"], [[record("a", "spin")], [record("a", "grow")]])
    assert found.sentences()[2] == "B minus A: -100.0 percentage points"


def test_without_truth_only_changes_are_said() -> None:
    found = compare(["A", "B"], [[record("a", "spin", None)], [record("a", "grow", None)]])
    assert found.sentences() == ["1 of 1 predictions changed"]
    assert found.accuracies == [] and found.differences == []
