"""The parsers of this project that read files of strangers, or files that may be damaged."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from benchmarks.fuzz import corpus
from benchmarks.fuzz.clip_reading import read_clip
from benchmarks.fuzz.onnx_files import write_onnx
from benchmarks.fuzz.structure_damage import damaged_json, damaged_npz, damaged_zip
from benchmarks.fuzz.target import Target
from video_cam.batch.clip_lists import read_list
from video_cam.batch.store import FolderStore
from video_cam.config import InputConfig
from video_cam.errors import ClipError
from video_cam.explanation.explanation import Explanation
from video_cam.layers.cache import FOLDER_VARIABLE
from video_cam.layers.trace import trace
from video_cam.models.labels import read_labels
from video_cam.models.onnx import load_onnx
from video_cam.models.onnx_file import read_onnx_file
from video_cam.models.weights import read_state_dicts
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.plot_drawing import draw_plot
from video_cam.rendering.result_folder import SUMMARY_FILE
from video_cam.rendering.summary import summarise
from video_cam.rendering.timeline_plot import timeline_plot
from video_cam.truth.pixels import region_pixels
from video_cam.truth.reading import read_truth

_HAS_ONNX = find_spec("onnxruntime") is not None
_IDENTITY = "benchmarks.fuzz"
_INPUT = (1, 3, 4, 8, 8)


def _read_explanation(path: Path) -> object:
    """Load an explanation and use it as the renderer does."""
    explanation = Explanation.load(path)
    maps = BlendedMaps(explanation)
    draw_plot(timeline_plot(maps))
    json.dumps(summarise(explanation, [], []), allow_nan=False)
    return f"{len(maps)} maps"


def _read_summary(path: Path) -> object:
    store, name = FolderStore(path.parent.parent), path.parent.name
    return path.name == SUMMARY_FILE and (store.summary(name), store.owner(name))


def _read_results(path: Path) -> object:
    store = FolderStore(path.parent)
    store.write_index()
    return list(store.records())


def _read_truth(path: Path) -> object:
    """Read annotations and use them as an evaluation does."""
    file = read_truth(path)
    for row in file.rows:
        row.truth.digest()
        for place in row.truth.places:
            with suppress(ClipError):
                region_pixels(place, 6, 5)
    return f"{len(file.rows)} rows"


def _network() -> nn.Module:
    return nn.Sequential(nn.Conv3d(3, 2, 3), nn.AdaptiveAvgPool3d(1), nn.Flatten())


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The output shapes of a small network, found or read from the cache in ``folder``."""
    os.environ[FOLDER_VARIABLE] = str(folder)
    found = trace(_network(), torch.zeros(_INPUT), _IDENTITY)
    return {name: one.shape for name, one in found.modules.items()}


def _write_cache(folder: Path) -> None:
    _shapes(folder)


def _read_cache(path: Path) -> object:
    shapes = _shapes(path.parent)
    expected = _shapes(path.parent / "empty")
    if shapes != expected:
        raise AssertionError(f"the cache says {shapes}, the network has {expected}")
    return shapes


def _read_onnx(path: Path) -> object:
    """Open a network; without ONNX Runtime, read what its file says of itself."""
    if path.suffix != ".onnx":
        return None
    return load_onnx(path, None, InputConfig()) if _HAS_ONNX else read_onnx_file(path)


_JSON = {".json": damaged_json, ".jsonl": damaged_json}

TARGETS = {
    "labels": Target(corpus.write_labels, read_labels, _JSON),
    "truth": Target(corpus.write_truth, _read_truth, _JSON),
    "lists": Target(corpus.write_lists, read_list, {}),
    "explanation": Target(corpus.write_explanation, _read_explanation, {".npz": damaged_npz}),
    "zip": Target(corpus.write_explanation, _read_explanation, {".npz": damaged_zip}),
    "summary": Target(corpus.write_summary, _read_summary, _JSON),
    "results": Target(corpus.write_results, _read_results, _JSON),
    "cache": Target(_write_cache, _read_cache, _JSON),
    "clips": Target(corpus.write_clips, read_clip, {}),
    "pictures": Target(corpus.write_pictures, read_clip, {".npz": damaged_zip}),
    "checkpoints": Target(
        corpus.write_checkpoints, read_state_dicts, {".pth": damaged_zip, ".pt": damaged_zip}
    ),
    "onnx": Target(write_onnx, _read_onnx, {}),
}
