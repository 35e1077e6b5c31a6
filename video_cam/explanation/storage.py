"""An Explanation's fields as the arrays of an .npz file, and back. Runs no code from the file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from video_cam.errors import UsageError
from video_cam.explanation.damage import Damage
from video_cam.explanation.frame_test_fields import FrameTest
from video_cam.explanation.map_series import (
    ClassTarget,
    FunctionTarget,
    MapParts,
    MapSeries,
    ModelInfo,
)
from video_cam.explanation.quantised_maps import QuantisedMaps
from video_cam.layers.alignment import NEAREST, CellCentres
from video_cam.models.preprocessing import Geometry
from video_cam.utils.array_archive import read_arrays
from video_cam.utils.files import atomic_write, open_regular
from video_cam.utils.notes import Note
from video_cam.utils.strict_json import Entry, Row, checked, parse_json
from video_cam.video.scan import ClipInfo
from video_cam.video.timeline import Timeline

FORMAT = 4
# A small file may unpack to this much; a larger one is not compressed, so that no file has to be
# trusted with more than a few times its own size.
MAX_UNPACKED_BYTES, MAX_RATIO = 512 * 2**20, 4

# Fields of an Explanation and of a MapSeries: those that JSON can hold, and those that are arrays.
_PLAIN = (
    *("labels", "span", "options", "notes", "seconds", "functions", "check", "sanity"),
    *("motion_test", "frame_test", "scenes", "source_digest"),
)
_ARRAYS = ("frame_indices", "num_padded", "probabilities", "function_scores")
_MAP_PLAIN = ("label", "layer", "method", "class_ids", "bias", "detail")
_MAP_ARRAYS = ("frame_scores", "logits", "contributions")


class _Target(msgspec.Struct):
    """Of a map: a class or a function, by its number."""

    class_id: int | None = None
    number: int | None = None


class _MapMeta(msgspec.Struct):
    """The fields of a MapSeries that are not arrays."""

    label: str
    layer: str
    method: str
    class_ids: tuple[int, ...]
    bias: float | None
    detail: str
    target: _Target


class _Check(msgspec.Struct):
    """What is read of the result of the perturbation check."""

    sentence: str
    drop: float


class _Sanity(msgspec.Struct):
    """What is read of the result of the randomization check."""

    sentence: str


class _OtherMotionTest(msgspec.Struct):
    """What is read of the motion test of a further target."""

    sentence: str
    label: str


class _MotionTest(msgspec.Struct):
    """What is read of the result of the motion test."""

    sentence: str
    motion_share: Annotated[float, msgspec.Meta(ge=0, le=1)] | None
    score: float
    frozen: float
    frozen_best: float
    shuffled: float
    reversed: float
    slow: float
    fast: float
    still: float
    frozen_scores: list[float]
    frozen_frame_indices: list[int]
    frozen_pts_seconds: list[float]
    shuffled_scores: list[float]
    label: str
    others: list[_OtherMotionTest]

    def __post_init__(self) -> None:
        count = len(self.frozen_scores)
        if not count == len(self.frozen_frame_indices) == len(self.frozen_pts_seconds) > 0:
            raise ValueError("the frozen frames and their scores do not fit")
        if not self.shuffled_scores:
            raise ValueError("there is no score of a shuffled clip")


class _MapParts(msgspec.Struct):
    """The fields of MapParts."""

    windows: tuple[int, ...]
    maps: tuple[_MapMeta, ...]


class _Meta(msgspec.Struct):
    """Everything of an Explanation that is not an array."""

    labels: tuple[str, ...]
    span: tuple[int, int]
    options: dict[str, Row]
    source_digest: str
    notes: tuple[Note, ...]
    seconds: dict[str, float]
    functions: tuple[str, ...]
    check: dict[str, Entry] | None
    sanity: dict[str, Entry] | None
    scenes: tuple[tuple[int, int], ...]
    time_base: Fraction
    last_duration: int
    clip: ClipInfo
    model: ModelInfo
    geometry: Geometry
    maps: tuple[_MapMeta, ...]
    # Not in files of earlier versions.
    damage: Damage = Damage()
    motion_test: dict[str, Entry] | None = None
    frame_test: dict[str, Entry] | None = None
    motion_maps: _MapParts | None = None

    def __post_init__(self) -> None:
        for result, kind in (
            (self.check, _Check),
            (self.sanity, _Sanity),
            (self.motion_test, _MotionTest),
            (self.frame_test, FrameTest),
        ):
            if result is not None:
                checked(result, kind)


def write_fields(
    path: str | os.PathLike[str], fields: Mapping[str, Any], *, durable: bool = True
) -> None:
    """Write the fields of an Explanation to an .npz file, which appears whole.

    Args:
        path: of the file.
        fields: of an Explanation, by name.
        durable: as in ``utils.files.atomic_path``.
    """
    arrays = _to_arrays(fields)
    is_small = sum(np.asarray(array).nbytes for array in arrays.values()) <= MAX_UNPACKED_BYTES
    save = np.savez_compressed if is_small else np.savez
    with atomic_write(Path(path), durable=durable) as file:
        save(file, **arrays)


def read_fields(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The fields of an Explanation by name, from a file that ``write_fields`` wrote.

    Each has its type; whether they fit each other is checked by ``consistency.problems``.

    Raises:
        UsageError: for a file that is missing, damaged, or something else.
    """
    if not Path(path).is_file():
        raise UsageError(f"no explanation at {os.fspath(path)!r}: expected a file that save wrote")
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            arrays = read_arrays(file, max(MAX_UNPACKED_BYTES, MAX_RATIO * size))
        meta = parse_json(_text(arrays["meta"]))
        found = meta["format"]
        if not isinstance(found, int):
            raise ValueError("the number of the format is no number")
        if found == FORMAT:
            return _fields(checked(meta, _Meta), arrays)
    except Exception as error:  # the bytes of another file can make the readers raise anything
        raise not_an_explanation(path) from error
    raise UsageError(
        f"{os.fspath(path)!r} has format {found}, expected {FORMAT}: explain the clip again"
    )


def _text(array: np.ndarray) -> str:
    """The text in an array. Raises ValueError for numbers that are no characters.

    NumPy makes strings of them, on which Python fails somewhere else.
    """
    native = array.astype(array.dtype.newbyteorder("="))
    codes = np.frombuffer(native.tobytes(), np.uint32) if array.dtype.kind == "U" else None
    if codes is None or codes.max(initial=0) > sys.maxunicode:
        raise ValueError("the text holds no characters")
    return str(native)


def not_an_explanation(path: str | os.PathLike[str], problem: str = "") -> UsageError:
    """The error of a file that is damaged or something else."""
    reason = f" ({problem})" if problem else ""
    return UsageError(
        f"{os.fspath(path)!r} is not an explanation, or is damaged{reason}: expected a file that "
        "save wrote"
    )


def _to_arrays(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays by name; everything that is not an array is JSON under "meta"."""
    meta = {name: fields[name] for name in _PLAIN}
    meta |= {
        "notes": [asdict(note) for note in fields["notes"]],
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
        arrays |= _map_arrays(series, f"map_{i}")
    parts = fields["motion_maps"]
    if parts is not None:
        metas = [_map_meta(series) for series in parts.maps]
        meta["motion_maps"] = {"windows": list(parts.windows), "maps": metas}
        for i, series in enumerate(parts.maps):
            arrays |= _map_arrays(series, f"part_{i}")
    # JSON has no fractions: they are written as text.
    return {"meta": np.array(json.dumps(meta, default=str)), **arrays}


def _fields(meta: _Meta, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The inverse of ``_to_arrays``."""
    nearest = meta.options.get("align") in NEAREST
    return {
        **{name: getattr(meta, name) for name in (*_PLAIN, "clip", "model", "geometry", "damage")},
        **{name: arrays[name] for name in _ARRAYS},
        "timeline": Timeline(_ticks(arrays["pts"]), meta.time_base, meta.last_duration),
        "maps": tuple(_series(one, arrays, f"map_{i}", nearest) for i, one in enumerate(meta.maps)),
        "motion_maps": _parts(meta.motion_maps, arrays, nearest),
    }


def _parts(
    meta: _MapParts | None, arrays: Mapping[str, np.ndarray], nearest: bool
) -> MapParts | None:
    if meta is None:
        return None
    maps = (_series(one, arrays, f"part_{i}", nearest) for i, one in enumerate(meta.maps))
    return MapParts(meta.windows, tuple(maps))


def _ticks(pts: np.ndarray) -> np.ndarray:
    """The time stamps, which Timeline would round to whole numbers."""
    if pts.dtype != np.int64:
        raise ValueError(f"pts are {pts.dtype}, expected int64")
    return pts


def _map_arrays(series: MapSeries, key: str) -> dict[str, Any]:
    """The arrays of a series by name."""
    arrays: dict[str, Any] = {key: series.values}
    if isinstance(series.values, QuantisedMaps):
        arrays = {key: series.values.levels, f"{key}_scales": series.values.scales}
    for name in _MAP_ARRAYS:
        if getattr(series, name) is not None:
            arrays[f"{key}_{name}"] = getattr(series, name)
    for axis in "tyx":
        arrays[f"{key}_{axis}"] = getattr(series.centres, axis)
    return arrays


def _map_meta(series: MapSeries) -> dict[str, Any]:
    plain = {name: getattr(series, name) for name in _MAP_PLAIN}
    return plain | {"target": asdict(series.target)}


def _series(meta: _MapMeta, arrays: Mapping[str, np.ndarray], key: str, nearest: bool) -> MapSeries:
    class_id, number = meta.target.class_id, meta.target.number
    if (class_id is None) == (number is None):
        raise ValueError("the target of a map is neither a class nor a function")
    values, scales = arrays[key], arrays.get(f"{key}_scales")
    optional: dict[str, Any] = {name: arrays.get(f"{key}_{name}") for name in _MAP_ARRAYS}
    return MapSeries(
        **{name: getattr(meta, name) for name in _MAP_PLAIN},
        target=FunctionTarget(number or 0) if class_id is None else ClassTarget(class_id),
        values=values if scales is None else QuantisedMaps(values, scales),
        centres=CellCentres(**{axis: arrays[f"{key}_{axis}"] for axis in "tyx"}, nearest=nearest),
        **optional,
    )
