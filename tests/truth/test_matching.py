"""Which annotation is of which clip, and which class of the network a name is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.reporting import RecordingReporter
from video_cam import UsageError
from video_cam.truth.checking import TruthCheck, check_classes, times_and_places
from video_cam.truth.classes import LabelTable
from video_cam.truth.clip_facts import ClipFacts
from video_cam.truth.clip_truth import Box, ClipTruth, Mask, TruthFile, TruthRow
from video_cam.truth.matching import Matched, match

CLIPS = [Path(p) for p in ("in/spin/a.mp4", "in/grow/a.mp4", "in/grow/b.webm", "in/frames.d/c.d")]
FACTS = ClipFacts(2.0, 10, 64, 48)


def matched(*names: str, is_data_set: bool = False, truth: ClipTruth | None = None) -> Matched:
    given = truth or ClipTruth("x")
    rows = tuple(TruthRow(f"line {n}", (name,), given) for n, name in enumerate(names))
    found = Matched()
    match([TruthFile("in/truth.csv", rows, is_data_set)], CLIPS, found)
    return found


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("spin/a.mp4", 0),
        ("in/spin/a.mp4", 0),
        (str(CLIPS[0].absolute()), 0),
        ("spin/a", 0),
        ("spin\\a.mp4", 0),
        ("./spin/a.avi", 0),
        ("b", 2),
        ("b.mp4", 2),
        ("elsewhere/in/grow/b.webm", None),
        ("spin/b.webm", None),
        ("c.d", 3),
        ("nobody", None),
    ],
)
def test_a_clip_is_named_by_the_end_of_its_path(name: str, clip: int | None) -> None:
    assert list(matched(name).truths) == ([] if clip is None else [CLIPS[clip]])


def test_folders_of_a_data_set_need_not_be_those_of_the_clips() -> None:
    assert list(matched("spin/b.webm", is_data_set=True).truths) == [CLIPS[2]]
    found = matched("spin/b.webm", "v1", "v2", is_data_set=True)
    assert (found.unmatched, found.num_others, found.problems) == ([], 2, [])


def test_rows_without_a_clip_and_with_several_are_named() -> None:
    found = matched("a.mp4", "nobody", "b")
    assert found.unmatched == ["line 1: no clip 'nobody'"]
    assert found.problems == ["line 0: 'a.mp4' fits several clips: in/spin/a.mp4, in/grow/a.mp4"]
    [problem] = matched("nobody").problems
    assert problem == (
        "in/truth.csv: none of its 1 rows names a clip of this run, such as 'nobody' of line 0"
    )


def test_rows_of_a_clip_are_joined_and_two_classes_are_a_problem() -> None:
    found = Matched()
    found.add(CLIPS[0], ClipTruth(spans=((0, 1),)), "line 1")
    found.add(CLIPS[0], ClipTruth("dash up"), "line 2")
    found.add(CLIPS[0], ClipTruth("Dash_Up", spans=((2, 3),)), "line 3")
    assert found.truths[CLIPS[0]] == ClipTruth("dash up", spans=((0, 1), (2, 3)))
    found.add(CLIPS[0], ClipTruth("grow"), "line 4")
    assert found.problems == ["line 4: in/spin/a.mp4 is 'grow' here, 'dash up' elsewhere"]


LABELS = ("Apply Eye Makeup", "dash up", "Holding something next to something", "A", "a-b", "ab")


@pytest.mark.parametrize(
    ("name", "class_id"),
    [
        ("ApplyEyeMakeup", 0),
        ("apply_eye_makeup", 0),
        (" DASH  up ", 1),
        ("Holding [something] next to [something]", 2),
        ("3", 3),
        ("6", None),
        ("a", 3),
        ("a-b", 4),  # exactly one
        ("A B", None),  # a-b or ab?
        ("_", None),
        ("dash down", None),
    ],
)
def test_names_are_found_among_labels(name: str, class_id: int | None) -> None:
    assert LabelTable(LABELS).find(name) == class_id


def test_objects_are_a_class_where_the_network_knows_exactly_one() -> None:
    table = LabelTable(("cat", "dog"))
    for names, class_id in ((("cat", "ball"), 0), (("ball",), None), (("cat", "dog"), None)):
        assert table.class_of(ClipTruth(object_names=names)) == class_id
    assert table.class_of(ClipTruth("dog", object_names=("cat",))) == 1


def test_everything_that_is_wrong_is_one_message() -> None:
    check = TruthCheck(
        {"Dash_Up": ("a.mp4",), "dash uq": ("b.mp4", "c.mp4"), "wave": tuple("defg")},
        problems=("h.mp4: span 1 to 9 s: the clip ends at 2.00 s",),
        unmatched=("t.csv line 3: no clip 'z.mp4'",),
    )
    with pytest.raises(UsageError) as error:
        check_classes(check, ("dash up", "grow"), RecordingReporter())
    assert str(error.value) == (
        "ground truth: h.mp4: span 1 to 9 s: the clip ends at 2.00 s; unknown class 'dash uq' "
        "(2 clips: b.mp4, c.mp4): did you mean dash up?; unknown class 'wave' (4 clips: d, e, f, "
        "...): choose one of dash up, grow; t.csv line 3: no clip 'z.mp4'"
    )


def test_rows_without_a_clip_are_a_warning() -> None:
    reporter = RecordingReporter()
    check = TruthCheck(
        {"grow": ("a",)}, ("ball",), unmatched=("line 3: no clip 'z'",), num_without=1
    )
    check_classes(check, ("dash up", "grow"), reporter)
    assert reporter.messages == [
        (
            "warning",
            "ground truth: line 3: no clip 'z'; none was given for 1 clip of this run; objects "
            "that are no classes of the network: ball",
        )
    ]
    check_classes(TruthCheck({"grow": ("a",)}), ("grow",), quiet := RecordingReporter())
    assert quiet.messages == []


def test_pictures_of_masks_that_are_missing(tmp_path: Path) -> None:
    (tmp_path / "here.png").touch()
    masks = (Mask(0, picture=str(tmp_path / "here.png")), Mask(1, picture="gone.png"), Mask(2))
    found = times_and_places({CLIPS[0]: ClipTruth(masks=masks)}, {CLIPS[0]: FACTS})
    assert list(found) == ["in/spin/a.mp4: mask 'gone.png': no such file"]


def test_times_and_places_outside_of_the_clip() -> None:
    truth = ClipTruth(
        None,
        ((0, 2.04), (1, 3)),
        (Box(9, 0, 0, 64, 48), Box(10, 0, 0, 70, 48)),
        key_times=(("ED", 2.0), ("ES", 5.0)),
    )
    found = times_and_places({CLIPS[0]: truth}, {CLIPS[0]: FACTS})
    assert list(found) == [
        "in/spin/a.mp4: span 1 to 3 s: the clip ends at 2.00 s",
        "in/spin/a.mp4: key time ES 5 s: the clip ends at 2.00 s",
        "in/spin/a.mp4: frame 10: the clip has 10 frames, counted from 0",
        "in/spin/a.mp4: box 0 0 70 48 in frame 10: the frame has 64x48 pixels",
    ]
