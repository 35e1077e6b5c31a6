"""The result of the first pass: small, typed, saved and loaded without running anybody's code."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from video_cam.errors import UsageError
from video_cam.explanation.blending import Maps, TimeBlend
from video_cam.layers.alignment import NEAREST, CellCentres
from video_cam.models.preprocessing import Geometry
from video_cam.video.scan import ClipInfo
from video_cam.video.timeline import Timeline

FORMAT = 1


@dataclass(frozen=True)
class ModelInfo:
    """The network that was explained. frame_rate is in frames per second."""

    name: str
    weights: str
    layers: tuple[str, ...]
    num_frames: int
    frame_rate: Fraction
    trained: bool
    score: str = "softmax"  # what scores are: softmax, sigmoid or raw


@dataclass(frozen=True)
class Prediction:
    """A class and its probability, averaged over the windows."""

    class_id: int
    label: str
    score: float


@dataclass(frozen=True)
class MapSeries:
    """The maps of one class, layer and method in every window.

    values: float32 (W, T', H', W'), signed, in the units of the class score times activation.
    class_id: negative for a function of the network's output (see function_id), whose name is the
    label. class_ids: one a window where each is explained by its own class; class_id is then the
    one that most windows have. frame_scores: float32 (W, N) of a network that scores every frame,
    else None. logits: float32 (W,), of one class throughout. bias: where the cells of every window
    and this number add up to the class's logit; None where they do not.
    """

    class_id: int
    label: str
    layer: str
    method: str
    values: Maps
    centres: CellCentres
    class_ids: tuple[int, ...] = ()
    frame_scores: np.ndarray | None = None
    logits: np.ndarray | None = None
    bias: float | None = None


def function_id(number: int) -> int:
    """The class id that stands for the number-th function: -1, -2, ..."""
    return -1 - number


def function_number(class_id: int) -> int:
    """The inverse of ``function_id``."""
    return -1 - class_id


@dataclass(frozen=True)
class Explanation:
    """What a network looked at in a clip, and all that is needed to draw it.

    timeline: the time stamps of every frame of the clip. frame_indices: int64 (W, N), the source
    frames of each window. num_padded: int64 (W,), how many of them repeat the last frame.
    probabilities: float32 (W, classes), or scores of another kind, as model.score says.
    function_scores: float32 (W, functions), what the targets that are functions put out. span:
    source frames [first, stop). scenes: the parts of it that no window runs across, where it was
    split. notes: what a reader has to know, one line each. seconds: what each stage took. check,
    sanity: what check.py and sanity.py found, where they ran.
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
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    function_scores: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    functions: tuple[str, ...] = ()
    check: dict[str, Any] | None = None
    sanity: dict[str, Any] | None = None
    scenes: tuple[tuple[int, int], ...] = ()

    @property
    def num_windows(self) -> int:
        """How many inputs the network was given."""
        return len(self.frame_indices)

    @property
    def sample_seconds(self) -> np.ndarray:
        """(W, N) time stamps of the windows' frames in seconds."""
        return self.timeline.pts[self.frame_indices] * float(self.timeline.time_base)

    def predictions(self, top_k: int = 5) -> list[Prediction]:
        """The classes with the highest mean probability over the windows, best first."""
        mean = self.probabilities.mean(0)
        best = np.argsort(-mean, kind="stable")[:top_k]
        return [Prediction(int(i), self.labels[i], float(mean[i])) for i in best]

    def score(self, class_id: int) -> float:
        """The mean probability of a class, or the mean score of a function, over the windows."""
        return float(self.class_scores(class_id).mean())

    def class_scores(self, class_id: int) -> np.ndarray:
        """(W,) probabilities of a class, or scores of a function."""
        if class_id < 0:
            return self.function_scores[:, function_number(class_id)]
        return self.probabilities[:, class_id]

    def label(self, class_id: int) -> str:
        """The name of a class or of a function."""
        return self.functions[function_number(class_id)] if class_id < 0 else self.labels[class_id]

    def is_share(self, class_id: int) -> bool:
        """Whether its scores are probabilities, and not any number."""
        return class_id >= 0 and self.model.score != "raw"

    def shown(self, class_id: int, score: float) -> str:
        """A score as text: a probability in per cent, any other as a number."""
        return f"{score:.0%}" if self.is_share(class_id) else f"{score:.3g}"

    def scores_of_frames(self, index: int = 0) -> dict[int, float]:
        """Source frame -> the score that frame alone gave map ``index``'s class.

        Empty for a network that scores clips. A frame in several windows has the mean of them.
        """
        scores = self.maps[index].frame_scores
        if scores is None:
            return {}
        frames, where = np.unique(self.frame_indices, return_inverse=True)
        where = where.reshape(-1)
        means = np.bincount(where, scores.reshape(-1)) / np.bincount(where)
        return dict(zip(frames.tolist(), means.tolist(), strict=True))

    def window_scores(self, series: MapSeries) -> np.ndarray:
        """float32 (W,): the score of what a series explains, in each window."""
        if not series.class_ids:
            return self.class_scores(series.class_id)
        return self.probabilities[np.arange(self.num_windows), list(series.class_ids)]

    def blend(self, index: int = 0) -> TimeBlend:
        """How windows and cells of map ``index`` share an instant."""
        centres = self.maps[index].centres
        uniform = self.options.get("sampling") == "uniform"
        step_seconds = None if uniform else float(1 / self.model.frame_rate)
        return TimeBlend(
            self.sample_seconds, centres.t, centres.nearest, step_seconds, self._limits()
        )

    def _limits(self) -> np.ndarray | None:
        """(W, 2) seconds at which the scene of each window begins and ends."""
        if len(self.scenes) < 2:
            return None
        pts, time_base = self.timeline.pts, float(self.timeline.time_base)
        starts = np.array([first for first, _ in self.scenes])
        edges = np.append(pts[starts] * time_base, np.inf)
        scene = np.searchsorted(starts, self.frame_indices[:, 0], side="right") - 1
        return np.stack([edges[scene], edges[scene + 1]], 1)

    def keyframes(self) -> list[int]:
        """The source frames the network saw, in order, each once."""
        return np.unique(self.frame_indices).tolist()

    def show(self, clip: str | os.PathLike[str] | None = None, **look: Any) -> None:
        """The inspection page in a notebook's cell, or in the browser outside of notebooks.

        clip: where the clip is now, by default where it was explained. look: RenderConfig's fields.
        """
        from video_cam.rendering.notebook import show

        show(self, clip, **look)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from video_cam.rendering.notebook import summary_html

        return summary_html(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a compressed .npz: ``path`` holds all of it, or what it held before."""
        path = Path(path)
        partial = path.with_name(f".{path.name}.part")
        try:
            with partial.open("wb") as file:
                np.savez_compressed(file, **_to_arrays(self))
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Explanation:
        """Read what ``save`` wrote. Raises UsageError for a file that is something else."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return _from_arrays(dict(arrays))
        except FileNotFoundError as error:
            raise UsageError(f"no explanation at {os.fspath(path)!r}") from error
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise UsageError(f"{os.fspath(path)!r} is not an explanation of video_cam") from error


_PLAIN = ("labels", "span", "options", "notes", "seconds", "functions", "check", "sanity", "scenes")
_MAP_PLAIN = ("class_id", "label", "layer", "method", "class_ids", "bias")
_ARRAYS = ("frame_indices", "num_padded", "probabilities", "function_scores")


def _to_arrays(explanation: Explanation) -> dict[str, Any]:
    meta = {name: getattr(explanation, name) for name in _PLAIN}
    meta |= {
        "format": FORMAT,
        "time_base": explanation.timeline.time_base,
        "last_duration": explanation.timeline.last_duration,
        "clip": asdict(explanation.clip),
        "model": asdict(explanation.model),
        "geometry": asdict(explanation.geometry),
        "maps": [{name: getattr(m, name) for name in _MAP_PLAIN} for m in explanation.maps],
    }
    arrays: dict[str, Any] = {name: getattr(explanation, name) for name in _ARRAYS}
    arrays["pts"] = explanation.timeline.pts
    for i, series in enumerate(explanation.maps):
        arrays[f"map_{i}"] = series.values
        if series.frame_scores is not None:
            arrays[f"map_{i}_frames"] = series.frame_scores
        if series.logits is not None:
            arrays[f"map_{i}_logits"] = series.logits
        for axis in "tyx":
            arrays[f"map_{i}_{axis}"] = getattr(series.centres, axis)
    return {"meta": np.array(json.dumps(meta, default=str)), **arrays}


def _from_arrays(arrays: dict[str, Any]) -> Explanation:
    meta = json.loads(str(arrays["meta"]))
    if meta.pop("format") != FORMAT:
        raise ValueError("another format")
    nearest = meta["options"].get("align") in NEAREST
    maps = tuple(
        MapSeries(
            **named | {"class_ids": tuple(named["class_ids"])},
            values=arrays[f"map_{i}"],
            centres=CellCentres(
                **{axis: arrays[f"map_{i}_{axis}"] for axis in "tyx"}, nearest=nearest
            ),
            frame_scores=arrays.get(f"map_{i}_frames"),
            logits=arrays.get(f"map_{i}_logits"),
        )
        for i, named in enumerate(meta["maps"])
    )
    return Explanation(
        clip=ClipInfo(**_with_fractions(meta["clip"], ("frame_rate", "sample_aspect_ratio"))),
        model=ModelInfo(
            **_with_fractions(meta["model"], ("frame_rate",))
            | {"layers": tuple(meta["model"]["layers"])}
        ),
        geometry=Geometry(**meta["geometry"]),
        timeline=Timeline(arrays["pts"], Fraction(meta["time_base"]), meta["last_duration"]),
        maps=maps,
        labels=tuple(meta["labels"]),
        span=tuple(meta["span"]),
        options=meta["options"],
        notes=tuple(meta["notes"]),
        seconds=meta["seconds"],
        functions=tuple(meta["functions"]),
        check=meta["check"],
        sanity=meta["sanity"],
        scenes=tuple(map(tuple, meta["scenes"])),
        **{name: arrays[name] for name in _ARRAYS},
    )


def _with_fractions(values: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """JSON knows no fractions: they were written as text."""
    return values | {name: Fraction(values[name]) for name in names}
