"""Networks of PySlowFast: ``slowfast:CONFIG.yaml``, with a .pyth checkpoint as weights."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from video_cam.errors import UsageError, first_line
from video_cam.models.input_layout import InputLayout
from video_cam.models.preprocessing import Preprocess
from video_cam.models.spec import ModelSpec

PREFIX = "slowfast:"
SUFFIXES = (".yaml", ".yml")


def slowfast_spec(name: str) -> ModelSpec:
    """The spec of ``slowfast:CONFIG.yaml``, from the configuration file.

    Raises:
        UsageError: for a file that cannot be read, and where PySlowFast is not installed.
    """
    config = _read(Path(name.removeprefix(PREFIX)))
    data = config.DATA
    side = data.TEST_CROP_SIZE
    red, green, blue = data.MEAN
    red_std, green_std, blue_std = data.STD
    strides: tuple[int, ...] = (1,)
    if config.MODEL.ARCH in config.MODEL.MULTI_PATHWAY_ARCH:
        strides = (config.SLOWFAST.ALPHA, 1)
    return ModelSpec(
        build=partial(_build, config, name),
        pretrained={},
        labels=tuple(f"class {i}" for i in range(config.MODEL.NUM_CLASSES)),
        num_frames=data.NUM_FRAMES,
        frame_rate=Fraction(data.TARGET_FPS) / data.SAMPLING_RATE,
        preprocess=Preprocess(
            side, (side, side), (red, green, blue), (red_std, green_std, blue_std)
        ),
        input_layout=InputLayout(
            "list", strides, channels="bgr" if data.REVERSE_INPUT_CHANNEL else "rgb"
        ),
        code=hashlib.sha256(config.dump().encode()).hexdigest(),
    )


def _read(path: Path) -> Any:
    # A configuration that is not YAML would be run.
    if path.suffix not in SUFFIXES or not path.is_file():
        raise UsageError(f"no such file: {str(path)!r}; {PREFIX} takes a configuration in YAML")
    try:
        from slowfast.config.defaults import get_cfg
    except ImportError as error:
        raise _not_installed(error) from error
    config = get_cfg()
    try:
        config.merge_from_file(str(path), allow_unsafe=False)
    except Exception as error:  # any text can be in the file
        raise UsageError(
            f"{str(path)!r} cannot be read: {type(error).__name__}: {first_line(error)}"
        ) from error
    config.NUM_GPUS = 0
    return config


def _build(config: Any, name: str, classes: int) -> nn.Module:
    try:
        from slowfast.models import build_model
    except ImportError as error:
        raise _not_installed(error) from error
    wanted = config.clone()
    wanted.MODEL.NUM_CLASSES = classes
    try:
        module: nn.Module = build_model(wanted)
    except Exception as error:  # a configuration can ask for anything
        raise UsageError(f"{name} cannot be built: {first_line(error)}") from error
    for part_name, part in module.named_modules():
        # In evaluation mode a head gives probabilities, and maps are made from the scores.
        if part_name.endswith("head") and isinstance(getattr(part, "act", None), nn.Module):
            part.act = nn.Identity()
    return module


def _not_installed(error: ImportError) -> UsageError:
    return UsageError(
        f"{PREFIX}CONFIG needs PySlowFast ({first_line(error)}): clone "
        "https://github.com/facebookresearch/SlowFast and put its folder on PYTHONPATH"
    )
