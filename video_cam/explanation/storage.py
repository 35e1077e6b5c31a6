"""An Explanation's fields as the arrays of an .npz file, and back. Runs no code from the file."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from video_cam.errors import UsageError
from video_cam.explanation.damage import Damage
from video_cam.explanation.map_series import ClassTarget, FunctionTarget, MapSeries, ModelInfo
from video_cam.layers.alignment import NEAREST, CellCentres
from video_cam.models.preprocessing import Geometry
from video_cam.utils.files import atomic_write
from video_cam.video.scan import ClipInfo
from video_cam.video.timeline import Timeline

FORMAT = 2

# Fields of an Explanation and of a MapSeries: those that JSON can hold, and those that are arrays.
_PLAIN = ("labels", "span", "options", "notes", "seconds", "functions", "check", "sanity", "scenes")
_ARRAYS = ("frame_indices", "num_padded", "probabilities", "function_scores")
_MAP_PLAIN = ("label", "layer", "method", "class_ids", "bias")
_MAP_ARRAYS = ("frame_scores", "logits")

# What NumPy, zipfile and the constructors below raise for files that are damaged or foreign.
_ERRORS = (
    *(OSError, ValueError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, MemoryError),
)


def write_fields(path: str | os.PathLike[str], fields: Mapping[str, Any]) -> None:
    """Write the fields of an Explanation to a compressed .npz file, which appears whole.

    Args:
        fields: of an Explanation, by name.
    """
    with atomic_write(Path(path)) as file:
        np.savez_compressed(file, **_to_arrays(fields))


def read_fields(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The fields of an Explanation by name, from a file that ``write_fields`` wrote.

    Raises:
        UsageError: for a file that is missing, damaged, or something else.
    """
    shown = repr(os.fspath(path))
    if not Path(path).is_file():
        raise UsageError(f"no explanation at {shown}: expected a file that save wrote")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        meta = json.loads(str(arrays["meta"]))
        if meta["format"] != FORMAT:
            raise UsageError(
                f"{shown} has format {meta['format']}, expected {FORMAT}: explain the clip again"
            )
        return _fields(meta, arrays)
    except _ERRORS as error:
        raise UsageError(
            f"{shown} is not an explanation, or is damaged: expected a file that save wrote"
        ) from error


def _to_arrays(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays by name; everything that is not an array is JSON under "meta"."""
    meta = {name: fields[name] for name in _PLAIN}
    meta |= {
        "format": FORMAT,
        "time_base": fields["timeline"].time_base,
        "last_duration": fields["timeline"].last_duration,
        "clip": asdict(fields["clip"]),
        "model": asdict(fields["model"]),
        "geometry": asdict(fields["geometry"]),
        "damage": asdict(fields["damage"]),
        "maps": [_map_meta(series) for series in fields["maps"]],
    }
    arrays = {name: fields[name] for name in _ARRAYS}
    arrays["pts"] = fields["timeline"].pts
    for i, series in enumerate(fields["maps"]):
        arrays[f"map_{i}"] = series.values
        for name in _MAP_ARRAYS:
            if getattr(series, name) is not None:
                arrays[f"map_{i}_{name}"] = getattr(series, name)
        for axis in "tyx":
            arrays[f"map_{i}_{axis}"] = getattr(series.centres, axis)
    # JSON has no fractions: they are written as text.
    return {"meta": np.array(json.dumps(meta, default=str)), **arrays}


def _fields(meta: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    """The inverse of ``_to_arrays``."""
    nearest = meta["options"].get("align") in NEAREST
    return {
        "clip": ClipInfo(**_with_fractions(meta["clip"], ("frame_rate", "sample_aspect_ratio"))),
        "model": ModelInfo(
            **_with_fractions(meta["model"], ("frame_rate",))
            | {"layers": tuple(meta["model"]["layers"])}
        ),
        "geometry": Geometry(**meta["geometry"]),
        "damage": Damage(**meta.get("damage", {})),  # not in files of earlier versions
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
    optional: dict[str, Any] = {name: arrays.get(f"{key}_{name}") for name in _MAP_ARRAYS}
    return MapSeries(
        **{name: meta[name] for name in _MAP_PLAIN} | {"class_ids": tuple(meta["class_ids"])},
        target=ClassTarget(**target) if "class_id" in target else FunctionTarget(**target),
        values=arrays[key],
        centres=CellCentres(**{axis: arrays[f"{key}_{axis}"] for axis in "tyx"}, nearest=nearest),
        **optional,
    )


def _with_fractions(values: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return values | {name: Fraction(values[name]) for name in names}
