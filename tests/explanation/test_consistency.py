"""An explanation whose fields do not fit each other is refused when it is loaded."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.explanations import LABELS, make_explanation, map_series
from video_cam import Explanation, UsageError
from video_cam.explanation.consistency import problems
from video_cam.explanation.map_series import ClassTarget, FunctionTarget
from video_cam.layers.alignment import CellCentres
from video_cam.models.preprocessing import Geometry
from video_cam.video.timeline import Timeline

BASE = make_explanation()
VALUES = [[1, 2], [3, 4]]
SIZE, TIMES, WINDOWS = "a size is not", "a rate or length", "the windows are not in order"
SPAN, PADDED, SCENES = "the span", "the numbers of padded frames", "the scenes are not parts"


def with_map(t: Any = (0.5, 2.5), **fields: Any) -> dict[str, Any]:
    return {"maps": (replace(map_series(VALUES, t), **fields),)}


def frames(*rows: list[int]) -> dict[str, Any]:
    return {"frame_indices": np.array(rows)}


def scores(*rows: list[float]) -> dict[str, Any]:
    return {"probabilities": np.array(rows, np.float32)}


def floats(*shape: int, value: float = 0.5) -> np.ndarray:
    return np.full(shape, value, np.float32)


def cells(t: Any, dtype: type = np.float64) -> CellCentres:
    return CellCentres(np.array(t, dtype), np.zeros(1), np.zeros(1))


WRONG = [
    ({"clip": replace(BASE.clip, width=0)}, SIZE),
    ({"clip": replace(BASE.clip, height=10**30)}, SIZE),
    ({"clip": replace(BASE.clip, width=9)}, "of frames of another size"),
    ({"geometry": Geometry(8, 8, 0, 8, 0, 0, 8, 8)}, "the input lies outside"),
    ({"geometry": Geometry(8, 8, 8, 8, 1, 0, 8, 8)}, "the input lies outside"),
    ({"geometry": Geometry(8, 8, 8, 8, 0, 0, 0, 8)}, "the input lies outside"),
    ({"clip": replace(BASE.clip, frame_rate=Fraction(0))}, TIMES),
    ({"clip": replace(BASE.clip, sample_aspect_ratio=Fraction(0))}, TIMES),
    ({"clip": replace(BASE.clip, duration_seconds=-1.0)}, TIMES),
    ({"model": replace(BASE.model, frame_rate=Fraction(0))}, TIMES),
    ({"timeline": Timeline(np.arange(6) + 2**62, Fraction(1, 10), 1)}, "a time stamp is too large"),
    ({"span": (0, 7)}, SPAN),
    ({"span": (-1, 6)}, SPAN),
    ({"span": (3, 3)}, SPAN),
    ({"options": {"sampling": "some"}}, "the kind of sampling"),
    ({"options": {"align": ["probe"]}}, "the kind of alignment"),
    (frames([]), "the windows are not rows"),
    ({"frame_indices": np.zeros((2, 4))}, "the windows are not rows"),
    (frames([0, 1, 2], [1, 2, 3]), "another length"),
    (frames([0, 1, 2, 3], [2, 3, 4, 6]), "outside the span"),
    (frames([-1, 1, 2, 3], [2, 3, 4, 5]), "outside the span"),
    (frames([0, 2, 1, 3], [2, 3, 4, 5]), WINDOWS),
    (frames([2, 3, 4, 5], [0, 1, 2, 3]), WINDOWS),
    ({"num_padded": np.zeros(3, np.int64)}, PADDED),
    ({"num_padded": np.array([0, 4])}, PADDED),
    ({"num_padded": np.array([0, -1])}, PADDED),
    ({"scenes": ((0, 3), (2, 6))}, SCENES),
    ({"scenes": ((0, 7),)}, SCENES),
    ({"scenes": ((3, 3), (3, 6))}, SCENES),
    ({"scenes": ((0, 3), (3, 6))}, "a window is not within"),
    ({"scenes": ((1, 6),)}, "a window is not within"),
    ({"labels": LABELS[:2]}, "the scores do not fit"),
    (scores([0.5, 0.25, 0.25]), "the scores do not fit"),
    ({"probabilities": np.zeros((2, 3))}, "the scores do not fit"),
    (scores([0.5, np.nan, 0.25], [1, 0, 0]), "a score is not a finite"),
    (scores([0.5, 1.5, 0.25], [1, 0, 0]), "a probability is not"),
    ({"model": replace(BASE.model, score="odds")}, "scores of an unknown kind"),
    ({"functions": ("lead",), "function_scores": floats(1, 1)}, "scores of functions do not fit"),
    ({"function_scores": floats(2, 1)}, "scores of functions do not fit"),
    ({"functions": ("lead",), "function_scores": floats(2, 1, value=np.inf)}, "of a function is"),
    (with_map(target=ClassTarget(3)), "a class that the network does not have"),
    (with_map(target=ClassTarget(-1)), "a class that the network does not have"),
    (with_map(target=FunctionTarget(0)), "a class that the network does not have"),
    (with_map(class_ids=(0, 5)), "a class that the network does not have"),
    (with_map(class_ids=(0, 0, 0)), "the classes of a map"),
    (with_map(class_ids=(1, 1)), "the classes of a map"),
    (with_map(t=[2.5, 0.5]), "no positions in order"),
    (with_map(t=[0.5, np.inf]), "no positions in order"),
    (with_map(centres=cells([0.5, 2.5], np.float32)), "no positions in order"),
    (with_map(t=[0.5, 1.5, 2.5]), "a map does not fit"),
    (with_map(values=floats(3, 2, 1, 1)), "a map does not fit"),
    (with_map(values=np.zeros((2, 2, 1, 1))), "a map does not fit"),
    (with_map(values=floats(2, 2, 1, 1, value=np.nan)), "a map holds a value"),
    (with_map(frame_scores=floats(2, 3)), "the scores of a map"),
    (with_map(frame_scores=floats(2, 4, value=np.nan)), "the scores of a map"),
    (with_map(logits=floats(2, 2)), "the scores of a map"),
    (with_map(logits=floats(2, value=np.inf)), "the scores of a map"),
    ({"maps": ()}, "there is no map"),
]


def test_an_explained_clip_is_consistent(explanation: Explanation) -> None:
    assert list(problems(explanation)) == list(problems(BASE)) == []
    raw = replace(BASE, model=replace(BASE.model, score="raw"), **scores([9, -2, 0], [1, 2, 3]))
    assert list(problems(raw)) == []


@pytest.mark.parametrize(("fields", "problem"), WRONG, ids=range(len(WRONG)))
def test_fields_that_do_not_fit_are_refused_in_one_line(fields, problem, tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    make_explanation(**fields).save(path)
    with pytest.raises(UsageError, match="is not an explanation, or is damaged") as caught:
        Explanation.load(path)
    assert f"({problem}" in str(caught.value) or problem in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
