"""video_cam: shows, frame by frame, what a video network looked at."""

from video_cam.cam import ActivationMap, compute_cams, normalize, upsample
from video_cam.capture import capture
from video_cam.errors import ClipError, UsageError, VideoCamError
from video_cam.explain import explain
from video_cam.explanation import Explanation
from video_cam.guided import guided_backprop, guided_cam, smooth_gradient
from video_cam.models import Classifier, load_model
from video_cam.probe_layer import CAMProbe
from video_cam.render import render
from video_cam.version import __version__

__all__ = [  # in the order the data takes
    "ActivationMap",
    "CAMProbe",
    "Classifier",
    "ClipError",
    "Explanation",
    "UsageError",
    "VideoCamError",
    "__version__",
    "capture",
    "compute_cams",
    "explain",
    "guided_backprop",
    "guided_cam",
    "load_model",
    "normalize",
    "render",
    "smooth_gradient",
    "upsample",
]
