"""video_cam: shows, frame by frame, what a video network looked at.

A public name is imported when it is first used (PEP 562), so that ``import video_cam`` does not
import PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from video_cam.utils.version import __version__

if TYPE_CHECKING:
    from video_cam import export, metrics
    from video_cam.attribution.activation_map import ActivationMap, normalize, upsample
    from video_cam.attribution.cam import compute_cams
    from video_cam.attribution.input_gradients import (
        guided_backprop,
        guided_cam,
        smooth_gradient,
    )
    from video_cam.attribution.probe import CAMProbe
    from video_cam.errors import ClipError, UsageError, VideoCamError
    from video_cam.explanation.explainer import explain
    from video_cam.explanation.explanation import Explanation
    from video_cam.layers.hooks import capture
    from video_cam.models.classifier import Classifier
    from video_cam.models.registry import load_model
    from video_cam.rendering.figure import figure
    from video_cam.rendering.renderer import render
    from video_cam.rendering.tensorboard import to_tensorboard

# Public name -> the module that defines it; the imports above tell type checkers the same.
_HOMES = {
    "ActivationMap": "attribution.activation_map",
    "CAMProbe": "attribution.probe",
    "Classifier": "models.classifier",
    "ClipError": "errors",
    "Explanation": "explanation.explanation",
    "UsageError": "errors",
    "VideoCamError": "errors",
    "capture": "layers.hooks",
    "compute_cams": "attribution.cam",
    "explain": "explanation.explainer",
    "figure": "rendering.figure",
    "guided_backprop": "attribution.input_gradients",
    "guided_cam": "attribution.input_gradients",
    "load_model": "models.registry",
    "normalize": "attribution.activation_map",
    "render": "rendering.renderer",
    "smooth_gradient": "attribution.input_gradients",
    "to_tensorboard": "rendering.tensorboard",
    "upsample": "attribution.activation_map",
}

__all__ = [
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
    "export",
    "figure",
    "guided_backprop",
    "guided_cam",
    "load_model",
    "metrics",
    "normalize",
    "render",
    "smooth_gradient",
    "to_tensorboard",
    "upsample",
]


def __getattr__(name: str) -> Any:
    if name in ("export", "metrics"):
        return import_module(f"video_cam.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"video_cam.{_HOMES[name]}"), name)
    if name in ("Explanation", "explain"):
        _register_displays()
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _register_displays() -> None:
    """An explanation shows itself by functions of ``rendering``, imported when it is shown."""
    displays = import_module("video_cam.explanation.explanation").DISPLAYS
    for name, function in (("show", "show"), ("html", "summary_html")):
        displays[name] = _imported_when_called("video_cam.rendering.notebook", function)


def _imported_when_called(module: str, function: str) -> Any:
    def call(*arguments: Any, **options: Any) -> Any:
        return getattr(import_module(module), function)(*arguments, **options)

    return call
