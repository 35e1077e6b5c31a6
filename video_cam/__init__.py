"""video_cam: shows, frame by frame, what a video network looked at.

A public name is imported when it is first used, so that what needs no PyTorch does not wait for it.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from video_cam.version import __version__

if TYPE_CHECKING:
    from video_cam.cam import ActivationMap, compute_cams, normalize, upsample
    from video_cam.capture import capture
    from video_cam.errors import ClipError, UsageError, VideoCamError
    from video_cam.explain import explain
    from video_cam.explanation import Explanation
    from video_cam.guided import guided_backprop, guided_cam, smooth_gradient
    from video_cam.models import Classifier, load_model
    from video_cam.probe_layer import CAMProbe
    from video_cam.render import render
    from video_cam.report.figure import figure
    from video_cam.tensorboard import to_tensorboard

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
    "figure",
    "guided_backprop",
    "guided_cam",
    "load_model",
    "normalize",
    "render",
    "smooth_gradient",
    "to_tensorboard",
    "upsample",
]

# Where a public name is defined; the imports above say the same to type checkers.
_HOMES = {
    "cam": ("ActivationMap", "compute_cams", "normalize", "upsample"),
    "capture": ("capture",),
    "errors": ("ClipError", "UsageError", "VideoCamError"),
    "explain": ("explain",),
    "explanation": ("Explanation",),
    "guided": ("guided_backprop", "guided_cam", "smooth_gradient"),
    "models": ("Classifier", "load_model"),
    "probe_layer": ("CAMProbe",),
    "render": ("render",),
    "report.figure": ("figure",),
    "tensorboard": ("to_tensorboard",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(f"video_cam.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """`video_cam.explain` is the function, also once the module of that name has been imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and name in __all__:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
