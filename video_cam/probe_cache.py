"""What the probe measured, kept on disk, so that the next command need not measure it again.

In ``VIDEO_CAM_CACHE``, by default ``~/.cache/video_cam``: a few kilobytes for each network, choice
of layers and input size. What cannot be read or written there is measured as if there were none.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from video_cam.classifier import Classifier
from video_cam.fingerprint import digest_of_weights
from video_cam.sensitivity import Reach, Reaches

FORMAT = 1  # to be raised whenever sensitivity.measure would answer otherwise
FOLDER = "VIDEO_CAM_CACHE"


def remembered(
    model: Classifier,
    layers: Sequence[str],
    size: tuple[int, int, int],
    measure: Callable[[], dict[str, Reaches]],
) -> dict[str, Reaches]:
    """The reach of layers for an input of (T, H, W): as it was kept, else measured and kept.

    Networks whose code nobody can tell apart by name are measured every time.
    """
    if not model.known:
        return measure()
    try:
        path = _path(model, layers, size)
    except RuntimeError:  # nobody's home: a container's user without an entry
        return measure()
    with suppress(OSError, ValueError, TypeError, AttributeError):
        return _from_json(json.loads(path.read_text(encoding="utf-8")))
    found = measure()
    with suppress(OSError):
        _write(path, json.dumps(_to_json(found)))
    return found


def _path(model: Classifier, layers: Sequence[str], size: tuple[int, int, int]) -> Path:
    what = [FORMAT, model.name, model.code, digest_of_weights(model.module), *layers, *size]
    key = hashlib.sha256(json.dumps([*what, str(model.packing)]).encode()).hexdigest()[:32]
    folder = os.environ.get(FOLDER) or Path.home() / ".cache" / "video_cam"
    return Path(folder) / f"probe-{key}.json"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _to_json(found: dict[str, Reaches]) -> dict[str, list[list[object]]]:
    return {
        layer: [[reach.centres.tolist(), reach.width] for reach in reaches]
        for layer, reaches in found.items()
    }


def _from_json(content: dict[str, list[tuple[list[float], float]]]) -> dict[str, Reaches]:
    found = {}
    for layer, axes in content.items():
        t, y, x = (Reach(np.array(centres, float), float(width)) for centres, width in axes)
        found[layer] = (t, y, x)
    return found
