"""Results in a run of MLflow."""

from __future__ import annotations

from typing import Any

from video_cam.errors import UsageError
from video_cam.explanation.explanation import Explanation
from video_cam.export.logged_results import LoggedClip, logged_clips, plain_name, unique
from video_cam.utils.extras import import_extra
from video_cam.utils.files import StrPath


def log_to_mlflow(
    run: Any,
    results: Explanation | StrPath,
    step: int | None = None,
    *,
    tag: str = "video_cam",
    client: Any = None,
    whole: bool = False,
) -> None:
    """Log scores as metrics, and videos and keyframes as artifacts below ``<tag>/<clip's name>``.

    Metrics are ``<tag>/<clip's name>/score/<target>``, with characters that MLflow refuses
    replaced by "-". With ``step``, artifacts lie below ``<tag>/<clip's name>/step_<step>``.

    Args:
        run: what ``mlflow.start_run`` returns, or a run's id; None for the active run.
        results: the folder of one clip, the output folder of a run, or an explanation, which is
            drawn on its clip first.
        step: of the metrics.
        tag: the first part of all names.
        client: an MlflowClient; None for one of the tracking server that is set.
        whole: log all files of the clip's folder instead, the page among them.

    Raises:
        UsageError: without mlflow or an active run, or where there are no results.
    """
    mlflow = import_extra("mlflow", "mlflow")
    run = mlflow.active_run() if run is None else run
    if run is None:
        raise UsageError("MLflow has no active run: call mlflow.start_run() first, or give a run")
    run_id = run if isinstance(run, str) else run.info.run_id
    client = client or mlflow.MlflowClient()
    with logged_clips(results) as clips:
        for clip in clips:
            name = "/".join([tag, *map(plain_name, clip.name.split("/"))])
            labels = unique(map(plain_name, clip.scores))
            for label, score in zip(labels, clip.scores.values(), strict=True):
                client.log_metric(run_id, f"{name}/score/{label}", score, step=step)
            place = name if step is None else f"{name}/step_{step:06d}"
            if whole:
                client.log_artifacts(run_id, str(clip.page), place)
            else:
                _log_files(client, run_id, clip, place)


def _log_files(client: Any, run_id: str, clip: LoggedClip, place: str) -> None:
    for path in (clip.video, *clip.pictures.values()):
        if path.is_file():
            client.log_artifact(run_id, str(path), place)
    for path in clip.keyframes.values():
        client.log_artifact(run_id, str(path), f"{place}/keyframes")
