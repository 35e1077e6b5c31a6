"""summary.json: the numbers behind the pictures."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np

from video_cam.explanation.explanation import Explanation, MapSeries
from video_cam.explanation.map_series import ClassTarget
from video_cam.rendering.explained_targets import series_of_targets, target_number
from video_cam.utils.notes import Note
from video_cam.utils.version import __version__

TOP_PREDICTIONS = 5


def summarise(
    explanation: Explanation,
    keyframes: Sequence[dict[str, Any]],
    videos: Sequence[str],
    notes: Sequence[Note] = (),
) -> dict[str, Any]:
    """What summary.json says about one clip.

    Args:
        explanation: what was drawn.
        keyframes: as ``describe_keyframes`` returns them.
        videos: file names.
        notes: of the rendering, added to those of the explanation.

    Returns:
        Values that JSON holds. Times are in seconds of the source, scores are means over the
        windows, num_network_frames counts the frames that the network was given, seen_box is left,
        top, right, bottom in source pixels, damage has the fields of ``Damage``, each note those of
        ``Note``.
    """
    return {
        "clip": _clip(explanation),
        "model": asdict(explanation.model) | {"frame_rate": float(explanation.model.frame_rate)},
        "predictions": [
            asdict(p) | {"shown": explanation.score_text(ClassTarget(p.class_id), p.score)}
            for p in explanation.predictions(TOP_PREDICTIONS)
        ],
        "targets": [_target(explanation, series) for series in series_of_targets(explanation)],
        "maps": [_map(series) for series in explanation.maps],
        "windows": _windows(explanation),
        "keyframes": list(keyframes),
        "num_network_frames": len(explanation.keyframes()),
        "seen_box": explanation.geometry.seen_box,
        "options": explanation.options,
        "notes": [asdict(note) for note in (*explanation.notes, *notes)],
        "damage": asdict(explanation.damage),
        "check": explanation.check,
        "sanity": explanation.sanity,
        "motion_test": explanation.motion_test,
        "frame_test": explanation.frame_test,
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
        **{package: _installed(package) for package in ("torch", "torchvision", "numpy", "av")},
    }


@cache
def _installed(package: str) -> str:
    """The version of a package; reading its metadata takes milliseconds."""
    return version(package)


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
        "digest": explanation.source_digest,
    }


def _target(explanation: Explanation, series: MapSeries) -> dict[str, Any]:
    target, score = series.target, float(explanation.window_scores(series).mean())
    return {
        "class_id": target_number(target),
        "label": series.label,
        "score": score,
        "shown": explanation.score_text(target, score),
    }


def _map(series: MapSeries) -> dict[str, Any]:
    return {
        "class_id": target_number(series.target),
        "layer": series.layer,
        "method": series.method,
        "detail": series.detail,
        "grid": series.centres.grid,
        "in_logits": series.bias is not None,
        "bias": series.bias,
    }


def _windows(explanation: Explanation) -> list[dict[str, Any]]:
    """Each window's time, its two best classes, and the scores of the summary's targets."""
    timeline = explanation.timeline
    scores = [explanation.window_scores(series) for series in series_of_targets(explanation)]
    ranked = np.argsort(-explanation.probabilities, axis=1, kind="stable")
    return [
        {
            "start_seconds": float(timeline.pts_seconds(frames[0])),
            "end_seconds": float(timeline.pts_seconds(frames[-1]))
            + timeline.duration_ticks(frames[-1]) * float(timeline.time_base),
            "frame_indices": frames,
            "num_padded": int(explanation.num_padded[window]),
            **_class(explanation, window, ranked[window, :1]),
            "runner_up": _class(explanation, window, ranked[window, :2]),
            "targets": [float(of_target[window]) for of_target in scores],
        }
        for window, frames in enumerate(explanation.frame_indices.tolist())
    ]


def _class(explanation: Explanation, window: int, ranked: np.ndarray) -> dict[str, Any]:
    """The last of some classes; without values for a network without class scores."""
    if not len(ranked):
        return dict.fromkeys(("class_id", "label", "score"))
    class_id = int(ranked[-1])
    return {
        "class_id": class_id,
        "label": explanation.labels[class_id],
        "score": float(explanation.probabilities[window, class_id]),
    }
