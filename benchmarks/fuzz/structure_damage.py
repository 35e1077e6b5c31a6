"""Damage to what a file contains, in a file that is well formed: JSON values, entries of a zip."""

from __future__ import annotations

import io
import json
import random
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.fuzz.byte_damage import damaged

_DEEP = "@deep@"  # stands for an array in an array in an array ..., which json.dumps cannot write
_DEPTH = 20_000
_ODD_VALUES: tuple[Any, ...] = (
    *(None, True, 0, 1, -1, 2**31, 2**63, -(10**30), 0.5, 1e308, float("nan"), float("inf")),
    *("", "x", "\ud800", "a\nb", "../../x", "1/0", "x" * 10_000, [], {}, [[]], {"": None}),
    *(_DEEP, [0] * 1000, "9" * 5000),
)
_ODD_ARRAYS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda array: array[:0],
    lambda array: array[:1],
    lambda array: np.concatenate([array, array]),
    lambda array: array[None],
    lambda array: array.reshape(-1),
    lambda array: array.astype("S8"),
    lambda array: array.astype(np.complex64),
    lambda array: array.astype(np.float16),
    lambda array: array.astype(np.int64) if array.dtype.kind == "f" else array * 2**40,
    lambda array: -array - 1,
    lambda array: np.full(array.shape, np.nan, np.float32),
    lambda array: np.full(array.shape, np.inf, np.float32),
    lambda array: np.zeros((0, 0, 0)),
    lambda array: np.array(7),
)


def damaged_json(data: bytes, rng: random.Random) -> bytes:
    """JSON, or lines of JSON, of which 1 to 3 values are odd, missing or moved."""
    texts = data.splitlines() if _is_lines(data) else [data]
    lines = [json.loads(text) for text in texts]
    for _ in range(rng.choice((1, 1, 2, 3))):
        number = rng.randrange(len(lines))
        lines[number] = _damaged_value(lines[number], rng)
    deep = "[" * _DEPTH + "]" * _DEPTH
    text = "\n".join(json.dumps(line).replace(f'"{_DEEP}"', deep) for line in lines)
    return text.encode("utf-8", "backslashreplace")


def damaged_zip(data: bytes, rng: random.Random) -> bytes:
    """A zip of which one entry is damaged, missing, renamed, exchanged or a bomb."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = rng.randrange(len(entries))
    name, content = entries[at]
    match rng.randrange(6):
        case 0:
            del entries[at]
        case 1:
            entries[at] = (rng.choice(("../x", "", "x" * 300, f"{name}/", "meta.npy")), content)
        case 2:
            entries[at] = (name, entries[rng.randrange(len(entries))][1])
        case 3:
            entries[at] = (name, content + bytes(1 << 24))
        case _:
            entries[at] = (name, damaged(content, rng))
    return _zipped(entries)


def damaged_npz(data: bytes, rng: random.Random) -> bytes:
    """An .npz of which one array is odd, or a value in its JSON."""
    with np.load(io.BytesIO(data)) as file:
        arrays = dict(file)
    name = rng.choice(sorted(arrays))
    if name == "meta" or rng.random() < 0.5:
        meta = damaged_json(str(arrays["meta"]).encode(), rng)
        arrays["meta"] = np.array(meta.decode())
    else:
        arrays[name] = rng.choice(_ODD_ARRAYS)(arrays[name])
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _is_lines(data: bytes) -> bool:
    return data.lstrip()[:1] == b"{" and b"}\n{" in data


def _damaged_value(value: Any, rng: random.Random) -> Any:
    """The value with one damage at a random depth."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        if rng.random() < 0.15:
            return {k: v for k, v in value.items() if k != key}
        return value | {key: _damaged_value(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        if rng.random() < 0.15:
            return value[:at] + value[at + 1 :]
        return [*value[:at], _damaged_value(value[at], rng), *value[at + 1 :]]
    return rng.choice(_ODD_VALUES)


def _zipped(entries: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.filterwarnings("ignore", "Duplicate name")
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()
