"""Fingerprints: is a clip's finished result still what these options, weights and file give?"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from video_cam.models.user_code import digest_of_code
from video_cam.utils.version import __version__
from video_cam.video.source_files import source_files

if TYPE_CHECKING:
    from video_cam.config import ExplainConfig, RenderConfig
    from video_cam.models.classifier import Classifier


def fingerprint(clip: Path, explainer_parts: dict[str, Any], render: RenderConfig) -> str:
    """A digest that changes with everything that changes the result of a clip.

    Args:
        explainer_parts: what ``ClipExplainer.fingerprint_parts`` returns.

    Returns:
        32 hexadecimal digits.
    """
    parts = {
        "version": __version__,
        "clip": _files(clip),
        **explainer_parts,
        "render": asdict(render),
    }
    text = json.dumps(parts, default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def fingerprint_parts(
    model: Classifier, weights_digest: str, config: ExplainConfig
) -> dict[str, Any]:
    """What of a network and its options goes into the fingerprint.

    Args:
        weights_digest: of ``layers.weights_digest``; computed once per network, as it reads all
            weights.
    """
    return {
        "model": [model.name, weights_digest, model.code, *model.labels],
        "input": [
            model.num_frames,
            model.frame_rate,
            model.preprocess,
            model.input_layout,
            model.score,
            model.reading,
        ],
        "options": config.as_json(),
        "targets": [digest_of_code(target) for target in config.targets],
    }


def _files(clip: Path) -> list[tuple[str, int, int]]:
    """(absolute path, size, time of last change) of the clip's file or images; reads none of them.

    What ``source_digest`` reads of thousands of clips would take longer than to resume a run.
    """
    stats = [(str(file.resolve()), file.stat()) for file in source_files(clip)]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
