"""Arrays and files as scripts: a page opened from disk may load scripts, but not fetch files."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np

_INTEGERS = ("uint8", "uint16", "uint32")
_MAX_LEVEL = 65535


def base64(data: bytes) -> str:
    """Bytes as text without line breaks."""
    return b64encode(data).decode("ascii")


def pack_integers(values: np.ndarray) -> dict[str, Any]:
    """Integers of at least 0, in the smallest type that holds them: {dtype, scale: 1, data}."""
    largest = int(values.max(initial=0))
    dtype = next(name for name in _INTEGERS if largest <= np.iinfo(name).max)
    return {"dtype": dtype, "scale": 1, "data": base64(values.astype(dtype).tobytes())}


def pack_levels(values: np.ndarray) -> dict[str, Any]:
    """Numbers of at least 0, in 65,535 levels of the largest: value = scale * level."""
    scale = float(values.max(initial=0)) / _MAX_LEVEL or 1.0
    levels = np.rint(values / scale).astype("uint16")
    return {"dtype": "uint16", "scale": scale, "data": base64(levels.tobytes())}


def script_json(value: Any) -> str:
    """JSON for use inside a script, also inside a page: without ``<``, in ASCII."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def write_bytes_script(folder: Path, name: str, data: bytes) -> None:
    """Write `<folder>/<name>.js`, which passes ``data`` to the page when it is loaded."""
    path = folder / f"{name}.js"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'videoCamReceive({script_json(name)},"{base64(data)}");\n', encoding="ascii")


def read_bytes_script(path: Path) -> tuple[str, str]:
    """The name and the data in base64 that ``write_bytes_script`` wrote."""
    _, name, _, data, _ = path.read_text(encoding="ascii").split('"')
    return name, data
