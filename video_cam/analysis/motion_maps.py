"""The part of a map that goes when motion is removed, and the part that stays.

The difference between a clip's relevance and that of its frames shown without motion: Hiley et al.
2019 ("Discriminating Spatial and Temporal Relevance in Deep Taylor Decompositions for Explainable
Activity Recognition") and 2020 ("Explaining Motion Relevance for Activity Recognition in Video Deep
Learning Models"), here for class activation maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from video_cam.analysis.motion_test import STAGE, frozen_frames, tested_window
from video_cam.analysis.window_scores import WindowScores
from video_cam.attribution.cam_methods import METHODS
from video_cam.choice_names import ATTENTION_METHOD_NAMES
from video_cam.config import ExplainConfig
from video_cam.errors import CheckNotApplicable
from video_cam.explanation.clip_plan import ClipPlan, plan_clip
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import (
    ClassTarget,
    FunctionTarget,
    MapParts,
    MapSeries,
    MapTarget,
)
from video_cam.explanation.quantised_maps import QuantisedMaps
from video_cam.explanation.sampling import FrameSpan, Window
from video_cam.explanation.target_selection import rivals_of
from video_cam.explanation.window_result import WindowResult
from video_cam.explanation.window_runner import WindowRunner
from video_cam.layers.alignment import CellCentres, interpolation_matrix
from video_cam.models.classifier import Classifier
from video_cam.perturbation.alterations import frozen
from video_cam.utils.progress import Progress, silent
from video_cam.video.clip import Clip

_WITHOUT_UNIT = "maps of {} have no unit in which one could be subtracted from another"
# What methods may need of the network: one pass gives it, and the map is a sum of terms of the
# score, so that maps can be subtracted.
ONE_PASS_NEEDS = frozenset({"gradient", "hessian_product", "full_gradient", "head"})


def motion_maps(
    clip: Clip,
    model: Classifier,
    explanation: Explanation,
    config: ExplainConfig,
    scores: WindowScores,
    progress: Progress = silent,
) -> MapParts:
    """Divide the first map of the tested window into a part by motion and one by appearance.

    The window is frozen at each of its frames (MAX_FROZEN of a longer one) and explained as the
    clip was. The appearance part at a frame is the map of the clip frozen at this frame, averaged
    over the cells in time, which all show the same picture. The motion part is the rest: at every
    frame the two sum to the first map, as it is drawn there. Of complete maps, the appearance part
    summed over space, times the cells in time of the map, plus the bias is the score of the frozen
    clip.

    Args:
        scores: learns the scores of the frozen clips, so that they are not scored again.

    Returns:
        The motion part and the appearance part, with a cell in time at each frame that was frozen,
        and the first map's cells in space.

    Raises:
        CheckNotApplicable: where the first map cannot be divided.
    """
    series = explanation.maps[0]
    reason = why_not_divided(series.method, config)
    if reason is None and model.input_layout.factory is not None:
        # It would be asked for the times of a clip that shows one moment all the time.
        reason = "what --input-factory adds belongs to the clip's own times"
    if reason is not None:
        raise CheckNotApplicable(reason)
    window, target = tested_window(explanation, series)
    rivals = rivals_of(explanation, config.contrast)[window : window + 1]
    frames = frozen_frames(explanation.frame_indices.shape[1])
    sources = explanation.frame_indices[window, frames].tolist()
    own = _frozen_config(series, config)
    if not np.array_equal(clip.timeline.pts, explanation.timeline.pts):
        clip = clip.decoded()  # damaged: other frames than its packets announce
    plan = _frozen_plan(plan_clip(clip, model, own), sources)
    runner = WindowRunner(plan, model, own, lambda stage, total: progress(STAGE, total))
    class_ids = [target.class_id, *rivals] if isinstance(target, ClassTarget) else None
    results = runner.run(range(len(sources)), class_ids)
    if not config.targets:
        for frame, result in zip(frames, results, strict=True):
            alteration = frozen(explanation.frame_indices.shape[1], frame)
            scores.learn(window, alteration, result.logits, result.probabilities)
    # A plan for one function numbers it 0.
    mapped = target if isinstance(target, ClassTarget) else FunctionTarget(0)
    appearance = _appearance(results, mapped)
    for rival in rivals:
        appearance = appearance - _appearance(results, ClassTarget(rival))
    positions = np.array(frames, np.float64)
    cells = interpolation_matrix(series.centres.t, positions, series.centres.nearest)
    whole = np.tensordot(cells, series.values[window], 1)  # (F, H', W')
    parts = {"motion": whole - appearance, "appearance": appearance}
    made = replace(
        series,
        target=target,
        label=series.label if not series.class_ids else explanation.label(target),
        class_ids=(),
        centres=CellCentres(positions, series.centres.y, series.centres.x, series.centres.nearest),
        frame_scores=None,
        logits=None,
        bias=None,
        contributions=None,
    )
    return MapParts(
        (window,),
        tuple(
            replace(made, layer=f"{series.layer}: {name}", values=_as(series, values))
            for name, values in parts.items()
        ),
    )


def why_not_divided(method: str, config: ExplainConfig) -> str | None:
    """Why the motion test gives no parts of a method's maps; None where it does."""
    row = METHODS.get(method)
    if method in ATTENTION_METHOD_NAMES:
        return _WITHOUT_UNIT.format(method)
    if row is None or not ONE_PASS_NEEDS.issuperset(row.needs):
        return (
            f"maps of {method}, the first method, cannot be divided; those of gradcam and similar "
            "methods, which take one gradient of the score, can"
        )
    if not row.needs or row.gives == "features" or config.eigen_smooth:
        return _WITHOUT_UNIT.format("eigen_smooth" if config.eigen_smooth else method)
    if config.fuse:
        return "fused maps have no unit in which one could be subtracted from another"
    if config.contrast and config.class_scope == "window":
        return "with contrast the windows are explained by different classes"
    return None


def _frozen_config(series: MapSeries, config: ExplainConfig) -> ExplainConfig:
    """The options of the first map alone."""
    target = series.target
    return replace(
        config,
        methods=(series.method,),
        layers=(series.layer,),
        detail=(series.detail,),
        conv_backcount=(),
        class_ids=(),
        targets=(config.targets[target.number],) if isinstance(target, FunctionTarget) else (),
        class_scope="video",
        worst=False,
        split_scenes=False,
    )


def _frozen_plan(plan: ClipPlan, frames: Sequence[int]) -> ClipPlan:
    """The plan for windows that show one source frame each."""
    length = plan.input_size[0]
    return replace(
        plan,
        windows=tuple(Window((frame,) * length) for frame in frames),
        span=FrameSpan(min(frames), max(frames) + 1),
    )


def _appearance(results: Sequence[WindowResult], target: MapTarget) -> np.ndarray:
    """float32 (F, H', W'): the mean over the cells in time of each frozen clip's map."""
    grids = [np.asarray(result.maps[target][0]) for result in results]
    return np.stack([grid.reshape(grid.shape[-3:]).mean(0) for grid in grids])


def _as(series: MapSeries, values: np.ndarray) -> np.ndarray | QuantisedMaps:
    """A window's map stored as the series stores its own."""
    values = values.astype(np.float32)
    return QuantisedMaps.of([values]) if isinstance(series.values, QuantisedMaps) else values[None]
