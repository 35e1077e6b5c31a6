"""Is a map right, and is it faithful? Measures for any network and any clip.

A map is a signed volume (T, H, W) on the clip's own grid, as ``upsample`` returns it; negative
values count as 0. A ground truth is a bool mask of the same shape: where and when the event is.
May import: video_cam.analysis, video_cam.explanation, video_cam.models and what is below them.
"""

from video_cam.metrics.detection import average_precision, best_iou
from video_cam.metrics.faithfulness import (
    UNITS,
    average_drop,
    deletion,
    insertion,
    rank_voxels,
)
from video_cam.metrics.localization import (
    mass_in_event,
    space_pointing,
    space_time_iou,
    space_time_pointing,
)
from video_cam.metrics.timing import (
    lag,
    onset_error,
    peak_distance,
    temporal_hit,
    temporal_iou,
)
from video_cam.perturbation.baselines import BASELINES, baseline_of
from video_cam.utils.intervals import Interval, bootstrap, paired_difference, wilson

__all__ = [
    "BASELINES",
    "UNITS",
    "Interval",
    "average_drop",
    "average_precision",
    "baseline_of",
    "best_iou",
    "bootstrap",
    "deletion",
    "insertion",
    "lag",
    "mass_in_event",
    "onset_error",
    "paired_difference",
    "peak_distance",
    "rank_voxels",
    "space_pointing",
    "space_time_iou",
    "space_time_pointing",
    "temporal_hit",
    "temporal_iou",
    "wilson",
]
