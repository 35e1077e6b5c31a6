"""An explanation as the arrays of an .npz file, and back. Nothing in the file is run."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from typing import Any

import numpy as np

from video_cam.errors import UsageError
from video_cam.explanation.map_series import ClassTarget, FunctionTarget, MapSeries, ModelInfo
from video_cam.layers.alignment import NEAREST, CellCentres
from video_cam.models.preprocessing import Geometry
from video_cam.video.scan import ClipInfo
from video_cam.video.timeline import Timeline

FORMAT = 2

_PLAIN = ("labels", "span", "options", "notes", "seconds", "functions", "check", "sanity", "scenes")
_ARRAYS = ("frame_indices", "num_padded", "probabilities", "function_scores")
_MAP_PLAIN = ("label", "layer", "method", "class_ids", "bias")
_MAP_ARRAYS = ("frame_scores", "logits")


def to_arrays(explanation: Any) -> dict[str, Any]:
    """Everything an Explanation holds: arrays by name, and the rest as JSON under "meta"."""
    meta = {name: getattr(explanation, name) for name in _PLAIN}
    meta |= {
        "format": FORMAT,
        "time_base": explanation.timeline.time_base,
        "last_duration": explanation.timeline.last_duration,
        "clip": asdict(explanation.clip),
        "model": asdict(explanation.model),
        "geometry": asdict(explanation.geometry),
        "maps": [_map_meta(series) for series in explanation.maps],
    }
    arrays: dict[str, Any] = {name: getattr(explanation, name) for name in _ARRAYS}
    arrays["pts"] = explanation.timeline.pts
    for i, series in enumerate(explanation.maps):
        arrays[f"map_{i}"] = series.values
        for name in _MAP_ARRAYS:
            if getattr(series, name) is not None:
                arrays[f"map_{i}_{name}"] = getattr(series, name)
        for axis in "tyx":
            arrays[f"map_{i}_{axis}"] = getattr(series.centres, axis)
    # Fractions are written as text: JSON knows none.
    return {"meta": np.array(json.dumps(meta, default=str)), **arrays}


def read_arrays(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The arrays of a file that ``to_arrays`` was written to.

    Raises:
        UsageError: for a file that is something else.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _foreign(path) from error


def explanation_fields(arrays: dict[str, Any], path: str | os.PathLike[str]) -> dict[str, Any]:
    """The fields of the Explanation that ``to_arrays`` made these arrays of.

    Raises:
        UsageError: where they do not make one; ``path`` is where they were read.
    """
    try:
        return _fields(arrays)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _foreign(path) from error


def _fields(arrays: dict[str, Any]) -> dict[str, Any]:
    meta = json.loads(str(arrays["meta"]))
    if meta["format"] != FORMAT:
        raise ValueError("another format")
    nearest = meta["options"].get("align") in NEAREST
    return {
        "clip": ClipInfo(**_with_fractions(meta["clip"], ("frame_rate", "sample_aspect_ratio"))),
        "model": ModelInfo(
            **_with_fractions(meta["model"], ("frame_rate",))
            | {"layers": tuple(meta["model"]["layers"])}
        ),
        "geometry": Geometry(**meta["geometry"]),
        "timeline": Timeline(arrays["pts"], Fraction(meta["time_base"]), meta["last_duration"]),
        "maps": tuple(
            _series(named, arrays, f"map_{i}", nearest) for i, named in enumerate(meta["maps"])
        ),
        **{name: meta[name] for name in _PLAIN},
        **{name: tuple(meta[name]) for name in ("labels", "span", "notes", "functions")},
        "scenes": tuple(map(tuple, meta["scenes"])),
        **{name: arrays[name] for name in _ARRAYS},
    }


def _map_meta(series: MapSeries) -> dict[str, Any]:
    plain = {name: getattr(series, name) for name in _MAP_PLAIN}
    return plain | {"target": asdict(series.target)}


def _series(meta: dict[str, Any], arrays: dict[str, Any], key: str, nearest: bool) -> MapSeries:
    target = meta["target"]
    return MapSeries(
        target=ClassTarget(**target) if "class_id" in target else FunctionTarget(**target),
        label=meta["label"],
        layer=meta["layer"],
        method=meta["method"],
        values=arrays[key],
        centres=CellCentres(**{axis: arrays[f"{key}_{axis}"] for axis in "tyx"}, nearest=nearest),
        class_ids=tuple(meta["class_ids"]),
        frame_scores=arrays.get(f"{key}_frame_scores"),
        logits=arrays.get(f"{key}_logits"),
        bias=meta["bias"],
    )


def _with_fractions(values: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return values | {name: Fraction(values[name]) for name in names}


def _foreign(path: str | os.PathLike[str]) -> UsageError:
    return UsageError(f"{os.fspath(path)!r} is not an explanation of video_cam")
