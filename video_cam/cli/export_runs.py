"""Finished results in a new run of Weights & Biases or MLflow."""

from __future__ import annotations

from pathlib import Path

from video_cam.errors import UsageError, first_line
from video_cam.export import log_to_mlflow, log_to_wandb
from video_cam.export.results import find_results
from video_cam.utils.extras import import_extra


def log_to_new_run(kind: str, results: str, project: str, run_name: str | None) -> str:
    """Make a run, log results to it and end it.

    Args:
        kind: "wandb" or "mlflow"; where the run is kept follows from the tool's own settings, such
            as WANDB_MODE and MLFLOW_TRACKING_URI.
        results: the folder of one clip, or the output folder of a run.
        project: W&B's project or MLflow's experiment.
        run_name: of the new run; None for one that the tool makes up.

    Returns:
        Where the run is, on one line.

    Raises:
        UsageError: without the package or results, or where the tool cannot make a run.
    """
    find_results(results)  # a wrong folder is told before a run is made
    return (_new_wandb_run if kind == "wandb" else _new_mlflow_run)(results, project, run_name)


def _new_wandb_run(results: str, project: str, run_name: str | None) -> str:
    wandb = import_extra("wandb", "wandb")
    try:
        run = wandb.init(project=project, name=run_name, job_type="video_cam")
    except wandb.Error as error:
        raise UsageError(
            f"W&B makes no run ({first_line(error)}): log in with wandb login, or set "
            "WANDB_MODE=offline"
        ) from error
    with run:
        log_to_wandb(run, results)
        place = run.url or str(Path(run.dir).parent)
    return f"logged to {place}"


def _new_mlflow_run(results: str, project: str, run_name: str | None) -> str:
    mlflow = import_extra("mlflow", "mlflow")
    try:
        mlflow.set_experiment(project)
        run = mlflow.start_run(run_name=run_name)
    except mlflow.MlflowException as error:
        raise UsageError(
            f"MLflow makes no run ({first_line(error)}): set MLFLOW_TRACKING_URI"
        ) from error
    with run:
        log_to_mlflow(run, results)
    return f"logged to run {run.info.run_id} in {mlflow.get_tracking_uri()}"
