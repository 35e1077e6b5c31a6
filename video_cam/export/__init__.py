"""Finished results as the files and records of other tools; a callback that explains in training.

May import: video_cam.batch and what is below it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from video_cam.export.coco_regions import to_coco
from video_cam.export.export_folder import Exported
from video_cam.export.fiftyone_dataset import to_fiftyone
from video_cam.export.mlflow_run import log_to_mlflow
from video_cam.export.nifti_volume import to_nifti
from video_cam.export.npz_volume import to_npz
from video_cam.export.rerun_recording import to_rerun
from video_cam.export.wandb_run import log_to_wandb

if TYPE_CHECKING:
    from video_cam.export.lightning_callback import ExplainCallback

__all__ = [
    "ExplainCallback",
    "Exported",
    "log_to_mlflow",
    "log_to_wandb",
    "to_coco",
    "to_fiftyone",
    "to_nifti",
    "to_npz",
    "to_rerun",
]


def __getattr__(name: str) -> Any:
    if name == "ExplainCallback":  # its base class is Lightning's, which may not be installed
        return import_module("video_cam.export.lightning_callback").ExplainCallback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
