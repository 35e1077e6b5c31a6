"""Explanations on disk: every field comes back; other files are refused in one line."""

from __future__ import annotations

import dataclasses
import json
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.support.explanations import FRAME_TEST, MOTION_TEST, make_explanation, map_series
from video_cam import Explanation, UsageError
from video_cam.explanation import storage
from video_cam.explanation.damage import Damage
from video_cam.explanation.map_series import ClassTarget, FunctionTarget, MapParts
from video_cam.explanation.storage import FORMAT
from video_cam.utils.notes import WARNING, Note


def full_explanation() -> Explanation:
    """Every field is filled, and each optional array is there and absent."""
    own_classes = map_series(
        [[1, 2], [3, 4]],
        [0.5, 2.5],
        target=ClassTarget(2),
        class_ids=(0, 2),
        frame_scores=np.arange(8, dtype=np.float32).reshape(2, 4),
    )
    complete = map_series(
        [[5, 6], [7, 8]], [0.5, 2.5], logits=np.array([11.5, 15.5], np.float32), bias=0.5
    )
    function = map_series([[-1, 0], [0, 1]], [0, 3], target=FunctionTarget(0), label="margin")
    return make_explanation(
        maps=(own_classes, complete, function),
        functions=("margin",),
        function_scores=np.array([[0.25], [0.5]], np.float32),
        notes=(Note("a note"), Note("a warning", WARNING)),
        seconds={"explain": 1.5},
        check={"sentence": "it carries the score", "drop": 0.5, "random_drops": [0.1, 0.2]},
        sanity={"sentence": "it needs", "stages": [{"part": "fc", "rank_correlation": None}]},
        motion_test=MOTION_TEST,
        frame_test=FRAME_TEST,
        motion_maps=MapParts((1,), (map_series([[1, 2]], [0, 3]), map_series([[2, 2]], [0, 3]))),
        scenes=((0, 4), (4, 6)),
        frame_indices=np.array([[0, 1, 2, 3], [4, 5, 5, 5]]),
        damage=Damage(1, 2, 3, 4, 0.4),
    )


def assert_same(loaded: object, saved: object, name: str = "explanation") -> None:
    """Equal field by field, in value, type and dtype."""
    assert type(loaded) is type(saved), name
    if dataclasses.is_dataclass(saved):
        for field in dataclasses.fields(saved):
            assert_same(getattr(loaded, field.name), getattr(saved, field.name), field.name)
    elif isinstance(saved, np.ndarray):
        assert loaded.dtype == saved.dtype, name
        np.testing.assert_array_equal(loaded, saved, name)
    elif isinstance(saved, tuple):
        assert len(loaded) == len(saved), name
        for one, other in zip(loaded, saved, strict=True):
            assert_same(one, other, name)
    else:
        assert loaded == saved, name


def test_every_field_comes_back(tmp_path: Path) -> None:
    explanation = full_explanation()
    empty = [f.name for f in dataclasses.fields(explanation) if not len_of(explanation, f.name)]
    assert empty == []
    explanation.save(tmp_path / "e.npz")
    assert_same(Explanation.load(tmp_path / "e.npz"), explanation)
    assert [path.name for path in tmp_path.iterdir()] == ["e.npz"]


def len_of(explanation: Explanation, name: str) -> int:
    value = getattr(explanation, name)
    return len(value) if hasattr(value, "__len__") else value is not None


def test_an_explained_clip_comes_back(explanation: Explanation, tmp_path: Path) -> None:
    explanation.save(tmp_path / "e.npz")
    loaded = Explanation.load(tmp_path / "e.npz")
    # JSON has lists where the options had tuples.
    options = json.loads(json.dumps(explanation.options, default=str))
    assert_same(loaded, dataclasses.replace(explanation, options=options))


@pytest.mark.parametrize("align", ["nearest", "probe"])
def test_the_alignment_says_how_cells_are_interpolated(align: str, tmp_path: Path) -> None:
    explanation = make_explanation(options={"align": align})
    explanation.save(tmp_path / "e.npz")
    assert Explanation.load(tmp_path / "e.npz").maps[0].centres.nearest == (align == "nearest")


def test_saving_replaces_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    make_explanation().save(path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        make_explanation(geometry=None).save(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def write_other(path: Path, kind: str) -> None:
    """A file that is no explanation."""
    if kind == "text":
        path.write_text("hello")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "other arrays":
        np.savez(path, a=np.zeros(3))
    elif kind == "pickle":
        np.savez(path, meta=np.array([{}], dtype=object))
    elif kind == "meta is no JSON":
        np.savez(path, meta=np.array("{"))
    elif kind == "meta is a list":
        np.savez(path, meta=np.array("[1]"))
    elif kind == "meta is nested deeply":
        np.savez(path, meta=np.array("[" * 100_000))
    elif kind == "meta is a number":
        np.savez(path, meta=np.array(1.5))


@pytest.mark.parametrize(
    "kind",
    [
        *("text", "empty", "array", "other arrays", "pickle", "meta is no JSON"),
        *("meta is a list", "meta is nested deeply", "meta is a number"),
    ],
)
def test_other_files_are_refused(kind: str, tmp_path: Path) -> None:
    write_other(tmp_path / "other.npz", kind)
    with pytest.raises(UsageError, match=r"other\.npz' is not an explanation, or is damaged"):
        Explanation.load(tmp_path / "other.npz")


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "missing.npz"
    os.mkfifo(path) if kind == "pipe" else path.mkdir()
    with pytest.raises(UsageError, match=r"no explanation at '.*missing\.npz'"):
        Explanation.load(path)


def test_a_file_that_unpacks_to_much_more_is_refused(tmp_path: Path, monkeypatch) -> None:
    """A large explanation is written so that it is not mistaken for such a file."""
    path = tmp_path / "e.npz"
    zeros = map_series(np.zeros((2, 40_000)), np.arange(40_000.0))
    make_explanation(maps=(zeros,)).save(path)
    assert Explanation.load(path).maps[0].values.size == 80_000
    monkeypatch.setattr(storage, "MAX_UNPACKED_BYTES", 100_000)
    with pytest.raises(UsageError, match="is damaged"):
        Explanation.load(path)
    make_explanation(maps=(zeros,)).save(path)
    assert Explanation.load(path).maps[0].values.size == 80_000


def test_time_stamps_are_not_rounded(tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    make_explanation().save(path)
    with np.load(path) as file:
        np.savez(path, **dict(file) | {"pts": np.arange(6) * 1.25})
    with pytest.raises(UsageError, match="is damaged"):
        Explanation.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no explanation at '.*missing\.npz'"):
        Explanation.load(tmp_path / "missing.npz")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    """A file that was cut off or overwritten anywhere: one line, and never other numbers."""
    path = tmp_path / "e.npz"
    explanation = full_explanation()
    explanation.save(path)
    data = path.read_bytes()
    refused = 0
    for position in range(0, len(data), len(data) // 60):
        for damaged in (data[:position], data[:position] + b"\xff\x00\xff" + data[position + 3 :]):
            path.write_bytes(damaged)
            try:
                loaded = Explanation.load(path)
            except UsageError:
                refused += 1
            else:  # what was overwritten does not matter, such as a date
                assert_same(loaded, explanation)
    assert refused > 100


def test_text_of_numbers_that_are_no_characters_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    full_explanation().save(path)
    with np.load(path) as file:
        arrays = dict(file)
    codes = np.frombuffer(arrays["meta"].tobytes(), np.uint32).copy()
    codes[list(codes).index(ord("g"))] = 0x110000  # within a text
    arrays["meta"] = codes.view(f"U{len(codes)}").reshape(())
    np.savez(path, **arrays)
    with pytest.raises(UsageError, match="is not an explanation"):
        Explanation.load(path)


def test_a_file_of_the_time_before_damage_was_recorded_is_read(tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    full_explanation().save(path)
    with np.load(path) as file:
        arrays = dict(file)
    meta = json.loads(str(arrays["meta"]))
    del meta["damage"]
    np.savez(path, **arrays | {"meta": np.array(json.dumps(meta))})
    assert Explanation.load(path).damage == Damage()


def changed(path: Path, **changes: object) -> None:
    """Write the file again with other entries in its JSON."""
    with np.load(path) as file:
        arrays = dict(file)
    meta = json.loads(str(arrays["meta"])) | changes
    np.savez(path, **arrays | {"meta": np.array(json.dumps(meta))})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": FORMAT - 1}, "has format 3, expected 4: explain the clip again"),
        ({"time_base": "1/0"}, "is damaged"),
        ({"time_base": "second"}, "is damaged"),
        ({"clip": {"path": "clip.mp4"}}, "is damaged"),
        ({"maps": [{}]}, "is damaged"),
        ({"labels": None}, "is damaged"),
        ({"time_base": "1e999999999"}, "is damaged"),
        ({"last_duration": 0}, "is damaged"),
        ({"span": [0]}, "is damaged"),
        ({"seconds": {"explain": float("nan")}}, "is damaged"),
        ({"check": {"drop": 0.5}}, "is damaged"),
        ({"sanity": {}}, "is damaged"),
        ({"motion_test": {"sentence": "it moves"}}, "is damaged"),
        ({"motion_test": MOTION_TEST | {"motion_share": 1.5}}, "is damaged"),
        ({"motion_test": MOTION_TEST | {"frozen_scores": [1.0]}}, "is damaged"),
        ({"frame_test": FRAME_TEST | {"contributions": [1.0]}}, "is damaged"),
        ({"frame_test": FRAME_TEST | {"sufficient_frames": [5]}}, "is damaged"),
        ({"frame_test": FRAME_TEST | {"frame_indices": [3, 2, 1, 0]}}, "is damaged"),
        ({"frame_test": FRAME_TEST | {"frame_indices": [1, 3, 5, 6]}}, "outside the span"),
        ({"frame_test": FRAME_TEST | {"window": 2}}, "windows of the frame test"),
        (
            {
                "frame_test": FRAME_TEST
                | {"windows": FRAME_TEST["windows"] | {"contributions": [1]}}
            },
            "windows of the frame test",
        ),
        (
            {"frame_test": FRAME_TEST | {"windows": FRAME_TEST["windows"] | {"contributions": []}}},
            "is damaged",
        ),
        ({"motion_maps": {"windows": [0], "maps": []}}, "other parts than motion"),
        ({"motion_maps": {"windows": [2], "maps": []}}, "not windows of the clip"),
        ({"options": {"a": {"b": {"c": 1}}}}, "is damaged"),
        ({"notes": [["a"]]}, "is damaged"),
        ({"notes": "a" * 10 + "\n"}, "is damaged"),
        ({"last_duration": 10**30}, "is damaged"),
        ({"format": "2\n"}, "is damaged"),
    ],
)
def test_other_formats_and_wrong_entries_are_refused(changes, words, tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    make_explanation().save(path)
    changed(path)
    assert Explanation.load(path).timeline.time_base == Fraction(1, 10)
    changed(path, **changes)
    with pytest.raises(UsageError, match=words):
        Explanation.load(path)
