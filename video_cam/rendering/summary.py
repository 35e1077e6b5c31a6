"""summary.json: the numbers behind the pictures."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np

from video_cam.explanation.explanation import Explanation
from video_cam.utils.version import __version__

TOP_PREDICTIONS = 5


def summarise(
    explanation: Explanation,
    keyframes: Sequence[dict[str, Any]],
    videos: Sequence[str],
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything a reader or a script wants to know about one clip, ready for JSON.

    Times are in seconds of the source, scores are mean probabilities over the windows, and the
    box the network saw is left, top, right, bottom in source pixels.
    """
    return {
        "clip": _clip(explanation),
        "model": asdict(explanation.model) | {"frame_rate": float(explanation.model.frame_rate)},
        "predictions": [
            asdict(p) | {"shown": explanation.shown(p.class_id, p.score)}
            for p in explanation.predictions(TOP_PREDICTIONS)
        ],
        "targets": _targets(explanation),
        "maps": [
            {
                "class_id": m.class_id,
                "layer": m.layer,
                "method": m.method,
                "grid": m.centres.grid,
                "in_logits": m.bias is not None,
                "bias": m.bias,
            }
            for m in explanation.maps
        ],
        "windows": _windows(explanation),
        "keyframes": list(keyframes),
        "seen_box": explanation.geometry.seen_box,
        "options": explanation.options,
        "notes": [*explanation.notes, *notes],
        "check": explanation.check,
        "sanity": explanation.sanity,
        "files": {
            "videos": list(videos),
            "keyframes": "keyframes",
            "contact_sheet": "contact_sheet.jpg",
            "timeline": "timeline.png",
            "page": "index.html",
            "explanation": "explanation.npz",
        },
        "seconds": dict(explanation.seconds),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """The versions that results depend on."""
    return {
        "video_cam": __version__,
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        **{package: version(package) for package in ("torch", "torchvision", "numpy", "av")},
    }


def _clip(explanation: Explanation) -> dict[str, Any]:
    clip, timeline = explanation.clip, explanation.timeline
    return {
        "path": clip.path,
        "width": clip.width,
        "height": clip.height,
        "fps": float(clip.frame_rate),
        "num_frames": timeline.num_frames,
        "duration_seconds": float(timeline.duration_seconds),
        "has_audio": clip.has_audio,
        "span": explanation.span,
    }


def _targets(explanation: Explanation) -> list[dict[str, Any]]:
    found = {(series.class_id, series.label): series for series in explanation.maps}
    return [
        {
            "class_id": series.class_id,
            "label": series.label,
            "score": (score := float(explanation.window_scores(series).mean())),
            "shown": explanation.shown(series.class_id, score),
        }
        for series in found.values()
    ]


def _windows(explanation: Explanation) -> list[dict[str, Any]]:
    timeline = explanation.timeline
    # In the order of the summary's targets.
    found = {(series.class_id, series.label): series for series in explanation.maps}
    targets = [explanation.window_scores(series) for series in found.values()]
    ranked = np.argsort(-explanation.probabilities, axis=1, kind="stable")
    best, second = ranked[:, 0], ranked[:, min(1, ranked.shape[1] - 1)]
    return [
        {
            "start_seconds": float(timeline.pts_seconds(frames[0])),
            "end_seconds": float(timeline.pts_seconds(frames[-1]))
            + timeline.duration_ticks(frames[-1]) * float(timeline.time_base),
            "frame_indices": frames,
            "num_padded": int(explanation.num_padded[w]),
            "class_id": int(best[w]),
            "label": explanation.labels[best[w]],
            "score": float(explanation.probabilities[w, best[w]]),
            "runner_up": {
                "class_id": int(second[w]),
                "label": explanation.labels[second[w]],
                "score": float(explanation.probabilities[w, second[w]]),
            },
            "targets": [float(scores[w]) for scores in targets],
        }
        for w, frames in enumerate(explanation.frame_indices.tolist())
    ]
