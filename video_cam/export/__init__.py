"""Finished results as the files and records of other tools; a callback that explains in training.

May import: video_cam.batch and what is below it.
"""

from video_cam.export.coco_regions import to_coco
from video_cam.export.fiftyone_dataset import to_fiftyone
from video_cam.export.nifti_volume import to_nifti
from video_cam.export.npz_volume import to_npz
from video_cam.export.rerun_recording import to_rerun

__all__ = ["to_coco", "to_fiftyone", "to_nifti", "to_npz", "to_rerun"]
