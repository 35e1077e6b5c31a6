"""Recognisers of OpenMMLab's mmaction2: ``mmaction:CONFIG.py``, with a checkpoint as weights.

mmengine runs the code in a configuration file when it reads it, as Python runs ``file.py:factory``.
Checkpoints are read as tensors, without running anything in them.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from importlib import import_module
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from video_cam.errors import UsageError, first_line
from video_cam.models.input_layout import InputLayout
from video_cam.models.preprocessing import Preprocess
from video_cam.models.spec import IMAGENET_MEAN, IMAGENET_STD, ModelSpec

PREFIX = "mmaction:"
FRAMES_PER_SECOND = 30  # of the clips that frame intervals are meant for
SECONDS = 10  # of the clips that segments, or the frames of a clip, are spread over
DENSE_FRAMES = 64  # that dense segments are spread over, where nothing else is said
_MODELS, _MULTIMODAL = "mmaction.models", "mmaction.models.multimodal"
KINDS = {"Recognizer2D": "NTCHW", "Recognizer3D": "NCTHW"}


@dataclass(frozen=True)
class Settings:
    """What a configuration says of a recogniser's input and output.

    Attributes:
        kind: of KINDS.
        classes: number of classes.
        num_frames: frames in one input; segments of a 2D recogniser.
        frame_rate: frames per second of the input.
        preprocess: resize, crop and normalisation of the test pipeline.
        channels: "bgr" where the preprocessor turns colours around.
    """

    kind: str
    classes: int
    num_frames: int
    frame_rate: Fraction
    preprocess: Preprocess
    channels: str


def mmaction_spec(name: str) -> ModelSpec:
    """The spec of ``mmaction:CONFIG.py``, from the configuration file.

    Raises:
        UsageError: for a file that cannot be read or configures another kind of network, and where
            mmaction2 is not installed.
    """
    config = _read(Path(name.removeprefix(PREFIX)))
    settings = settings_of(config, name)
    return ModelSpec(
        build=partial(_build, config, name),
        pretrained={},
        labels=tuple(f"class {i}" for i in range(settings.classes)),
        num_frames=settings.num_frames,
        frame_rate=settings.frame_rate,
        preprocess=settings.preprocess,
        input_layout=InputLayout(KINDS[settings.kind], channels=settings.channels),
        code=hashlib.sha256(config.pretty_text.encode()).hexdigest(),
    )


def settings_of(config: Mapping[str, Any], name: str) -> Settings:
    """What a configuration says of the network's input.

    Args:
        config: the content of a configuration file.
        name: for messages.

    Raises:
        UsageError: for another kind of network than a recogniser of colour clips.
    """
    model = config.get("model") or {}
    kind = model.get("type")
    preprocessor = model.get("data_preprocessor") or config.get("data_preprocessor") or {}
    mean = preprocessor.get("mean") or [255 * one for one in IMAGENET_MEAN]
    std = preprocessor.get("std") or [255 * one for one in IMAGENET_STD]
    head = model.get("cls_head") or {}
    if kind not in KINDS or "num_classes" not in head or len(mean) != 3:
        raise UsageError(
            f"{name} configures a {kind}, expected a {' or '.join(KINDS)} of colour clips with "
            "class scores: build it in a file.py:factory of yours"
        )
    channels = "bgr" if preprocessor.get("to_rgb") else "rgb"
    order = slice(None, None, -1 if channels == "bgr" else 1)
    steps = _test_steps(config)
    sampling = next((s for s in steps if "Sample" in str(s.get("type"))), {})
    if not sampling:
        raise UsageError(
            f"{name} does not say which frames its network takes: it has no test pipeline with a "
            "step that samples frames; copy one from another configuration of this network"
        )
    num_frames, frame_rate = _frames(sampling, is_2d=kind == "Recognizer2D")
    red, green, blue = (one / 255 for one in mean[order])
    red_std, green_std, blue_std = (one / 255 for one in std[order])
    resize, crop = _sizes(steps)
    return Settings(
        kind=kind,
        classes=head["num_classes"],
        num_frames=num_frames,
        frame_rate=frame_rate,
        preprocess=Preprocess(resize, crop, (red, green, blue), (red_std, green_std, blue_std)),
        channels=channels,
    )


def _frames(sampling: Mapping[str, Any], is_2d: bool) -> tuple[int, Fraction]:
    """The number of frames of one input and their rate, of a step that samples frames.

    A 2D recogniser takes segments of single frames, or frames at an interval.
    """
    length, interval = sampling.get("clip_len", 1), sampling.get("frame_interval", 1)
    kind = str(sampling.get("type"))
    if is_2d and length == 1:
        segments = sampling.get("num_clips", 8)
        if "Dense" in kind:
            span = sampling.get("sample_range", DENSE_FRAMES)
            return segments, Fraction(segments * FRAMES_PER_SECOND, span)
        return segments, Fraction(segments, SECONDS)
    if "Uniform" in kind:
        return max(length, 2), Fraction(length, SECONDS)
    return max(length, 2), Fraction(FRAMES_PER_SECOND, interval)


def _sizes(steps: Sequence[Mapping[str, Any]]) -> tuple[int | tuple[int, int], tuple[int, int]]:
    """Resize and crop of a pipeline; the last steps of each kind count."""
    by_kind = {str(step.get("type")): step for step in steps}
    scale = by_kind.get("Resize", {}).get("scale", (-1, 256))
    sizes = [step["crop_size"] for kind, step in by_kind.items() if kind.endswith("Crop")]
    size = sizes[-1] if sizes else 224
    crop = (size, size) if isinstance(size, int) else (size[1], size[0])
    if not isinstance(scale, Sequence) or len(scale) != 2:
        return 256, crop
    if not by_kind.get("Resize", {}).get("keep_ratio", True):
        return (scale[1], scale[0]), crop
    return max(scale) if min(scale) < 0 else min(scale), crop


def _test_steps(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    for name in ("test_pipeline", "val_pipeline"):
        if config.get(name):
            return list(config[name])
    loader = config.get("test_dataloader") or {}
    return list((loader.get("dataset") or {}).get("pipeline") or [])


def _read(path: Path) -> Any:
    if not path.is_file():
        raise UsageError(f"no such file: {str(path)!r}; {PREFIX} takes a configuration file")
    try:
        from mmengine.config import Config
    except ImportError as error:
        raise _not_installed(error) from error
    try:
        return Config.fromfile(path)
    except Exception as error:  # it is code, which may raise anything
        raise UsageError(
            f"{str(path)!r} cannot be read: {type(error).__name__}: {first_line(error)}"
        ) from error


def _build(config: Any, name: str, classes: int) -> nn.Module:
    try:
        register_networks()
        from mmengine.registry import MODELS, DefaultScope
    except (ImportError, AssertionError) as error:  # mmaction2 asserts the versions it works with
        raise _not_installed(error) from error
    model = _without_downloads(config.model.to_dict())
    model["cls_head"]["num_classes"] = classes
    try:
        with DefaultScope.overwrite_default_scope("mmaction"), without_log():
            module = MODELS.build(model)
    except Exception as error:  # a configuration can ask for anything
        raise UsageError(f"{name} cannot be built: {first_line(error)}") from error
    return _with_scores(module)


@contextmanager
def without_log() -> Iterator[None]:
    """Leave out what networks log about each of their weights, up to a thousand lines."""
    level = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(level)


def register_networks() -> None:
    """Import mmaction2's networks, without those of text and video where only these fail.

    They need names that transformers no longer has; no recogniser does.
    """
    try:
        import_module(_MODELS)
    except ImportError as error:
        modules = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
        if not any(name.startswith(_MULTIMODAL) for name in modules):
            raise
        sys.modules[_MULTIMODAL] = ModuleType(_MULTIMODAL)
        try:
            import_module(_MODELS)
        finally:
            del sys.modules[_MULTIMODAL]


def _without_downloads(settings: Any) -> Any:
    """Settings that fetch no pretrained weights, which ``--weights`` replaces anyway."""
    if isinstance(settings, dict):
        kept = {k: v for k, v in settings.items() if k not in ("init_cfg", "max_testing_views")}
        return {
            key: None if key in ("pretrained", "pretrained2d") else _without_downloads(value)
            for key, value in kept.items()
        }
    return [_without_downloads(one) for one in settings] if isinstance(settings, list) else settings


def _with_scores(module: nn.Module) -> nn.Module:
    """The same recogniser, whose forward returns class scores instead of features."""
    base: Any = type(module)
    is_3d = any(one.__name__ == "Recognizer3D" for one in base.__mro__)

    def forward(self: Any, x: Tensor) -> Tensor:
        """(N, 3, T, H, W), or (N, T, 3, H, W) of a 2D recogniser -> (N, classes)."""
        views = x.unsqueeze(1) if is_3d else x
        features, options = self.extract_feat(views.contiguous(), test_mode=True)
        scores: Tensor = self.cls_head(features, **options)
        return scores

    module.__class__ = type(base.__name__, (base,), {"forward": forward})
    return module


def _not_installed(error: Exception) -> UsageError:
    return UsageError(
        f"{PREFIX}CONFIG needs the packages mmaction2, mmengine and mmcv ({first_line(error)}): "
        "pip install mmaction2 mmengine mmcv"
    )
