"""How much work the options of a run ask for, said before the first clip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from video_cam.analysis.frame_test import cost as cost_of_frame_test
from video_cam.analysis.motion_maps import why_not_divided
from video_cam.analysis.motion_test import MAX_FROZEN, MAX_TARGETS, num_forwards
from video_cam.attribution.augmentation import augmentations
from video_cam.attribution.input_methods import INPUT_METHODS
from video_cam.config import ExplainConfig
from video_cam.models.labels import class_id

if TYPE_CHECKING:
    from video_cam.models.classifier import Classifier

EARLY_STOPS = ("rise",)  # where their standard error is small enough
MANY_PASSES = 16  # for one window; more are announced
_WHERE = "in the window where the score is highest"
MANY_VIDEOS = 8  # for one clip; a request for more is announced


def announcement(model: Classifier, config: ExplainConfig, num_clips: int) -> str | None:
    """One line about the size of a run that asks for many videos; None where it does not.

    How long encoding takes is not known before it is done, so the line counts videos and frames.

    Args:
        num_clips: of the run.
    """
    counts = maps_per_clip(model, config)
    videos = math.prod(counts.values())
    if videos <= MANY_VIDEOS:
        return None
    product = " x ".join(_counted(count, kind) for kind, count in counts.items())
    in_all = f", {videos * num_clips:,} for {num_clips:,} clips" if num_clips > 1 else ""
    return (
        f"{videos} annotated videos for each clip ({product}){in_all}: every frame is drawn and "
        f"encoded {videos} times; name fewer layers, methods or classes for fewer videos"
    )


def passes_announcement(model: Classifier, config: ExplainConfig) -> str | None:
    """One line about methods that run the network many times; None where there are none."""
    size = (config.num_frames or model.num_frames, *model.preprocess.crop)
    versions = len(augmentations(config.aug_smooth, config.aug_shift))
    passes = {
        name: versions * INPUT_METHODS[name].forwards(size, config)
        for name in dict.fromkeys(config.input_methods)
    }
    parts = [
        f"{name} takes {'at most ' if name in EARLY_STOPS and config.mask_error else ''}{count:,}"
        for name, count in passes.items()
        if count >= MANY_PASSES
    ]
    if not parts:
        return None
    again = (
        "" if config.layer_methods or not config.sanity else ", and --sanity as many for each part"
    )
    return f"{' and '.join(parts)} forward passes for each window{again}"


def costs_of_tests(model: Classifier, config: ExplainConfig) -> list[str]:
    """One line for each test that is asked for: how many forward passes it takes for a clip."""
    costs = [_motion_cost(model, config)] if config.motion_test else []
    if config.frame_test:
        costs.append(cost_of_frame_test(config.num_frames or model.num_frames))
    return costs


def _motion_cost(model: Classifier, config: ExplainConfig) -> str:
    kind, targets = [*maps_per_clip(model, config).items()][-1]
    first = f"the first {MAX_TARGETS} of " if targets > MAX_TARGETS else ""
    num_frames = config.num_frames or model.num_frames
    each = num_forwards(num_frames)
    of = "" if targets == 1 else f" ({first}{_counted(targets, kind)}, {each} each)"
    targets = min(targets, MAX_TARGETS)
    first_method = (config.layer_methods or config.methods)[0]  # maps of layers come first
    has_factory = model.input_layout.factory is not None
    if has_factory or why_not_divided(first_method, config) is not None:
        return f"motion test: at most {targets * each} forward passes for each clip{of}, {_WHERE}"
    mapped = min(num_frames, MAX_FROZEN)
    versions = len(augmentations(config.aug_smooth, config.aug_shift))
    # Beside functions, the scores of frozen clips are not known from their maps.
    more = mapped * (versions - 1 + bool(config.targets))
    of += f" and {more} more for maps" if more else ""
    finer = ", about two more for each with detail input" if "input" in config.detail else ""
    return (
        f"motion test: at most {targets * each + more} forward passes for each clip{of}, {_WHERE}; "
        f"{mapped} of them with a map{finer}"
    )


def maps_per_clip(model: Classifier, config: ExplainConfig) -> dict[str, int]:
    """How many layers, methods and targets are combined into maps; each map gives a video.

    With methods of the whole input beside others, the maps of one target are counted together.

    Raises:
        UsageError: for layers and classes that the network lacks.
    """
    classes = len({class_id(wanted, model.labels) for wanted in config.class_ids})
    if not classes and not config.targets:
        classes = min(config.num_best, len(model.labels))
    kind = "target" if config.targets else "class"
    return {
        **_maps_per_target(model, config),
        kind: classes + config.worst + len(config.targets),
    }


def _maps_per_target(model: Classifier, config: ExplainConfig) -> dict[str, int]:
    methods, of_input = (len({*names}) for names in (config.layer_methods, config.input_methods))
    if not methods:
        return {"method": of_input}
    size = (config.num_frames or model.num_frames, *model.preprocess.crop)
    layers = len(model.layers(size, config.layers, config.conv_backcount).names)
    layers = 1 if config.fuse else layers
    if of_input:
        return {"map": layers * methods + of_input}
    return {"layer": layers, "method": methods}


def _counted(count: int, kind: str) -> str:
    """Such as "1 layer" and "4 classes"."""
    return f"{count} {kind}{'' if count == 1 else 'es' if kind.endswith('s') else 's'}"
