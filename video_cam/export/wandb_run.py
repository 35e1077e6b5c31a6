"""Results in a run of Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from video_cam.explanation.explanation import Explanation
from video_cam.export.logged_results import LoggedClip, logged_clips
from video_cam.utils.extras import import_extra
from video_cam.utils.files import StrPath


def log_to_wandb(
    run: Any,
    results: Explanation | StrPath,
    step: int | None = None,
    *,
    tag: str = "video_cam",
    more: Mapping[str, Any] | None = None,
) -> None:
    """Log videos, keyframes and scores, as ``<tag>/<clip's name>/...``.

    Logged are ``score/<target>``, ``video`` (the annotated video), ``keyframes`` (the most
    important ones), ``contact_sheet`` and ``timeline``; of several clips also ``<tag>/clips``, a
    table of predictions.

    Args:
        run: what ``wandb.init`` returns, or Lightning's ``WandbLogger.experiment``.
        results: the folder of one clip, the output folder of a run, or an explanation, which is
            drawn on its clip first.
        step: of the run; None for its own.
        tag: the first part of all names.
        more: logged at the same step under their own names, such as the value of another axis.

    Raises:
        UsageError: without wandb, or where there are no results.
    """
    wandb = import_extra("wandb", "wandb")
    values: dict[str, Any] = dict(more or {})
    rows = []
    with logged_clips(results) as clips:
        for clip in clips:
            values |= _values(wandb, clip, f"{tag}/{clip.name}")
            rows.append([clip.name, clip.truth, clip.prediction, *_best(clip)])
        if len(rows) > 1:
            columns = ["clip", "ground truth", "prediction", "target", "score"]
            values[f"{tag}/clips"] = wandb.Table(columns=columns, data=rows)
        run.log(values, step=step)  # copies the files


def _values(wandb: Any, clip: LoggedClip, name: str) -> dict[str, Any]:
    values: dict[str, Any] = {f"{name}/score/{label}": s for label, s in clip.scores.items()}
    if clip.video.is_file():
        values[f"{name}/video"] = wandb.Video(str(clip.video), format="mp4")
    for kind, path in clip.pictures.items():
        values[f"{name}/{kind}"] = wandb.Image(str(path))
    values[f"{name}/keyframes"] = [
        wandb.Image(str(path), caption=caption) for caption, path in clip.keyframes.items()
    ]
    return values


def _best(clip: LoggedClip) -> tuple[str | None, float | None]:
    """The first target and its score."""
    return next(iter(clip.scores.items()), (None, None))
