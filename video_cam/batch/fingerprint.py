"""Is a clip's result still what these options, weights and file would give?"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from video_cam import __version__
from video_cam.models.user_code import digest_of_code

if TYPE_CHECKING:
    from video_cam.config import ExplainConfig, RenderConfig
    from video_cam.models.classifier import Classifier


def digest_of_weights(module: nn.Module) -> str:
    """SHA-256 of a network's parameters and buffers with their names."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def fingerprint(
    clip: Path, model: Classifier, weights_digest: str, options: ExplainConfig, look: RenderConfig
) -> str:
    """A short text that changes with anything that changes the result."""
    parts: dict[str, Any] = {
        "version": __version__,
        "clip": _files(clip),
        "model": [model.name, weights_digest, model.code, *model.labels],
        "input": [
            model.num_frames,
            model.frame_rate,
            model.preprocess,
            model.input_layout,
            model.score,
        ],
        "options": options.as_json(),
        "targets": [digest_of_code(target) for target in options.targets],
        "look": asdict(look),
    }
    text = json.dumps(parts, default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def result_files(summary: dict[str, Any]) -> list[str]:
    """The files of a result without which it has to be made again."""
    files = summary["files"]
    return [*files["videos"], files["page"], files["explanation"], files["keyframes"]]


def _files(clip: Path) -> list[tuple[str, int, int]]:
    """Path, size and time of change of the clip's file or files."""
    files = sorted(f for f in clip.iterdir() if f.is_file()) if clip.is_dir() else [clip]
    stats = [(str(file.resolve()), file.stat()) for file in files]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
