"""The result of the first pass: small typed data that can be saved, loaded and drawn."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from video_cam.errors import UsageError
from video_cam.explanation.blending import WindowBlender
from video_cam.explanation.consistency import problems
from video_cam.explanation.damage import Damage
from video_cam.explanation.map_series import (
    ClassTarget,
    FunctionTarget,
    MapParts,
    MapSeries,
    MapTarget,
    ModelInfo,
    Prediction,
)
from video_cam.explanation.storage import not_an_explanation, read_fields, write_fields
from video_cam.models.preprocessing import Geometry
from video_cam.utils.field_types import check_path
from video_cam.utils.notes import Note
from video_cam.video.scan import ClipInfo
from video_cam.video.timeline import Timeline

# How an explanation is shown in a notebook or browser: functions under "show" and "html". They are
# part of ``rendering``, which this module must not import; the package's root registers them.
DISPLAYS: dict[str, Callable[..., Any]] = {}


@dataclass(frozen=True)
class Explanation:
    """What a network looked at in a clip, and all that is needed to draw it.

    Attributes:
        clip: sizes in upright pixels, frame rate and length of the source.
        model: the network.
        labels: class names.
        geometry: where the network's input lies in the source frames.
        timeline: time stamps of every frame of the clip.
        frame_indices: int64 (W, N), source frames of each window, windows in order of time.
        num_padded: int64 (W,), how many samples of each window only repeat frames.
        probabilities: float32 (W, classes), or scores of another kind, as ``model.score`` says.
        maps: one series for each target, layer and method, in this order.
        span: the source frames [first, stop) that were explained.
        options: the fields of ExplainConfig, in JSON's types.
        source_digest: of the clip's content; see ``video.source_files``.
        notes: what a reader of the result should know; each is a warning or information.
        seconds: stage -> its duration in seconds.
        function_scores: float32 (W, functions), the scores of targets that are functions.
        functions: their names.
        check: result of the perturbation check, None where it did not run.
        sanity: result of the randomization check, None where it did not run.
        motion_test: result of the motion test, None where it did not run.
        frame_test: result of the frame test, None where it did not run.
        motion_maps: what it divides the first map into, None where it does not.
        scenes: the source frames [first, stop) of each scene; no window runs across two.
        damage: what of the pictures is damaged or missing.
    """

    clip: ClipInfo
    model: ModelInfo
    labels: tuple[str, ...]
    geometry: Geometry
    timeline: Timeline
    frame_indices: np.ndarray
    num_padded: np.ndarray
    probabilities: np.ndarray
    maps: tuple[MapSeries, ...]
    span: tuple[int, int]
    options: dict[str, Any]
    source_digest: str
    notes: tuple[Note, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    function_scores: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    functions: tuple[str, ...] = ()
    check: dict[str, Any] | None = None
    sanity: dict[str, Any] | None = None
    motion_test: dict[str, Any] | None = None
    frame_test: dict[str, Any] | None = None
    motion_maps: MapParts | None = None
    scenes: tuple[tuple[int, int], ...] = ()
    damage: Damage = field(default_factory=Damage)

    @property
    def num_windows(self) -> int:
        """The number of windows W, the inputs that the network was given."""
        return len(self.frame_indices)

    @property
    def has_details(self) -> bool:
        """Whether the maps differ in their detail, so that names have to say it."""
        return len({series.detail for series in self.maps}) > 1

    @property
    def sample_seconds(self) -> np.ndarray:
        """float64 (W, N): time stamps of the windows' frames in seconds."""
        return self.timeline.pts[self.frame_indices] * float(self.timeline.time_base)

    def predictions(self, top_k: int = 5) -> list[Prediction]:
        """The classes with the highest mean probability over the windows, best first."""
        mean = self.probabilities.mean(0)
        best = np.argsort(-mean, kind="stable")[:top_k]
        return [Prediction(int(i), self.labels[i], float(mean[i])) for i in best]

    def score(self, target: MapTarget | int) -> float:
        """The mean over the windows of a class's or function's score; an int is a class id."""
        return float(self.class_scores(target).mean())

    def class_scores(self, target: MapTarget | int) -> np.ndarray:
        """float32 (W,): scores of a class (as ``model.score`` says) or of a function."""
        if isinstance(target, FunctionTarget):
            return self.function_scores[:, target.number]
        class_id = target.class_id if isinstance(target, ClassTarget) else target
        return self.probabilities[:, class_id]

    def label(self, target: MapTarget | int) -> str:
        """The name of a class or of a function."""
        if isinstance(target, FunctionTarget):
            return self.functions[target.number]
        return self.labels[target.class_id if isinstance(target, ClassTarget) else target]

    def is_probability(self, target: MapTarget | int) -> bool:
        """Whether the target's scores are probabilities, in [0, 1]."""
        return not isinstance(target, FunctionTarget) and self.model.score != "raw"

    def score_text(self, target: MapTarget | int, score: float) -> str:
        """A score as text: a probability in per cent, any other score with three digits."""
        return f"{score:.0%}" if self.is_probability(target) else f"{score:.3g}"

    def scores_of_frames(self, index: int = 0) -> dict[int, float]:
        """Source frame index -> the score of map ``index``'s class for that frame alone.

        Empty for networks that score clips. The mean, for a frame in several windows.
        """
        scores = self.maps[index].frame_scores
        if scores is None:
            return {}
        frames, where = np.unique(self.frame_indices, return_inverse=True)
        where = where.reshape(-1)
        means = np.bincount(where, scores.reshape(-1)) / np.bincount(where)
        return dict(zip(frames.tolist(), means.tolist(), strict=True))

    def window_scores(self, series: MapSeries) -> np.ndarray:
        """float32 (W,): the score of each window's own target of a series."""
        if not series.class_ids:
            return self.class_scores(series.target)
        return self.probabilities[np.arange(self.num_windows), list(series.class_ids)]

    def blend(self, index: int = 0) -> WindowBlender:
        """Blends the windows' maps of ``maps[index]``; times are seconds of the clip."""
        centres = self.maps[index].centres
        uniform = self.options.get("sampling") == "uniform"
        step_seconds = None if uniform else float(1 / self.model.frame_rate)
        return WindowBlender(
            self.sample_seconds, centres.t, centres.nearest, step_seconds, self._limits()
        )

    def _limits(self) -> np.ndarray | None:
        """float64 (W, 2): start and end of each window's scene in seconds; None for one scene."""
        if len(self.scenes) < 2:
            return None
        pts, time_base = self.timeline.pts, float(self.timeline.time_base)
        starts = np.array([first for first, _ in self.scenes])
        edges = np.append(pts[starts] * time_base, np.inf)
        scene = np.searchsorted(starts, self.frame_indices[:, 0], side="right") - 1
        return np.stack([edges[scene], edges[scene + 1]], 1)

    def of_parts(self) -> Explanation | None:
        """An explanation of the tested windows alone, whose maps are the parts of the first map.

        None where the motion test has not divided it.
        """
        if self.motion_maps is None:
            return None
        windows = list(self.motion_maps.windows)
        return replace(
            self,
            frame_indices=self.frame_indices[windows],
            num_padded=self.num_padded[windows],
            probabilities=self.probabilities[windows],
            function_scores=self.function_scores[windows] if self.functions else np.zeros((0, 0)),
            maps=self.motion_maps.maps,
            motion_maps=None,
        )

    def keyframes(self) -> list[int]:
        """The source frame indices that the network saw, rising, each once."""
        return np.unique(self.frame_indices).tolist()

    def show(self, clip: str | os.PathLike[str] | None = None, **options: Any) -> None:
        """Show the inspection page in the notebook, or in the browser outside of notebooks.

        Args:
            clip: path of the clip now; by default where it was when it was explained.
            options: the fields of ``config.RenderConfig``.
        """
        if "show" not in DISPLAYS:
            raise UsageError("nothing to show an explanation with: use video_cam.Explanation")
        DISPLAYS["show"](self, os.fspath(clip or self.clip.path), **options)

    def _repr_html_(self) -> str | None:
        return DISPLAYS["html"](self) if "html" in DISPLAYS else None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a compressed .npz file, which appears whole or not at all."""
        check_path("the file of the explanation", path)
        write_fields(path, vars(self))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Explanation:
        """Read what ``save`` wrote; no code in the file is run.

        Raises:
            UsageError: for a file that is missing, damaged, or something else.
        """
        check_path("the file of the explanation", path)
        explanation = cls(**read_fields(path))
        problem = next(problems(explanation), None)
        if problem is not None:
            raise not_an_explanation(path, problem)
        return explanation
