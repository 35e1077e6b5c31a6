"""The first pass: explain a clip, from opening the file to the finished Explanation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from os import PathLike
from typing import Any

import numpy as np

from video_cam.choice_names import SCORE_METHOD_NAMES
from video_cam.config import ExplainConfig, make_explain_config
from video_cam.errors import UsageError
from video_cam.explanation.aggregation import aggregate
from video_cam.explanation.clip_plan import ClipPlan, plan_clip
from video_cam.explanation.damage import Damage, damage_of, refuse_damage
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import ClassTarget, MapTarget
from video_cam.explanation.notes import hides_nothing, notes, notes_on_maps
from video_cam.explanation.own_method import with_own_method
from video_cam.explanation.own_texts import with_own_texts
from video_cam.explanation.target_selection import ExplainedTarget, explained_targets
from video_cam.explanation.window_result import WindowResult
from video_cam.explanation.window_runner import WindowRunner
from video_cam.explanation.window_source import OtherFramesDecoded, PreparedClip
from video_cam.models.classifier import Classifier
from video_cam.models.user_code import find_function
from video_cam.utils.field_types import check_path, check_progress
from video_cam.utils.names import as_tuple, function_name
from video_cam.utils.progress import Progress, silent
from video_cam.video.clip import Clip

# Window numbers, and the class ids to explain (None for the likely classes, and for functions) ->
# the results of these windows, in any order.
RunWindows = Callable[[Sequence[int], Sequence[int] | None], Iterable[WindowResult]]

# Options of ExplainConfig that need more than the maps.
BY_THE_COMMAND = ("check", "sanity", "motion_test", "frame_test", "guided", "smoothgrad")


def explain(
    clip: str | PathLike[str],
    model: Classifier,
    *,
    progress: Progress = silent,
    **options: Any,
) -> Explanation:
    """Explain what ``model`` looked at in a clip.

    Args:
        clip: a video, GIF, still image or folder of numbered images.
        model: what ``load_model`` returns.
        progress: is told how far each stage has come; see ``utils.progress``.
        options: the fields of ``config.ExplainConfig``; ``targets`` may be functions, or texts
            such as "file.py:function".

    Raises:
        UsageError: for wrong options. ClipError: for a clip that cannot be used.
    """
    check_path("the clip", clip)
    check_progress(progress)
    if not isinstance(model, Classifier):
        raise UsageError(
            f"the network is a {type(model).__name__}, expected what load_model returns: "
            "video_cam.load_model(network) takes one at hand"
        )
    functions = as_tuple(options.get("targets", ()))
    options["targets"] = [find_function(f) if isinstance(f, str) else f for f in functions]
    config = make_explain_config(options)
    for name in BY_THE_COMMAND:
        if getattr(config, name):
            raise UsageError(
                f"explain computes maps alone: {name} is done by the command "
                f"(--{name.replace('_', '-')}), so leave it out"
            )
    model, config, _ = with_own_method(model, config)
    model, config, _ = with_own_texts(model, config)
    opened = Clip.open(clip, bit_depth=config.bit_depth, video_stream=config.video_stream)
    return explain_clip(opened, model, config, progress)


def explain_clip(
    clip: Clip, model: Classifier, config: ExplainConfig, progress: Progress = silent
) -> Explanation:
    """``explain`` for an open clip and a complete config; runs in this process."""
    began = time.perf_counter()
    with suppress(OtherFramesDecoded):
        return _explain_here(clip, model, config, progress, began)
    # Damaged and unusual files hold other frames than their packets announce.
    return _explain_here(clip.decoded(), model, config, progress, began)


def explain_prepared(
    prepared: PreparedClip, model: Classifier, config: ExplainConfig, progress: Progress = silent
) -> Explanation:
    """``explain_clip`` for a clip whose frames another process has read; gives the same maps."""
    began = time.perf_counter() - prepared.seconds
    plan = plan_clip(prepared.clip, model, config, prepared.scenes, prepared.digest)
    runner = WindowRunner(plan, model, config, progress, prepared)
    return explain_plan(plan, config, runner.run, began)


def _explain_here(
    clip: Clip, model: Classifier, config: ExplainConfig, progress: Progress, began: float
) -> Explanation:
    plan = plan_clip(clip, model, config)
    runner = WindowRunner(plan, model, config, progress)
    return explain_plan(plan, config, runner.run, began)


def explain_plan(
    plan: ClipPlan, config: ExplainConfig, run_windows: RunWindows, began: float
) -> Explanation:
    """Run a plan's windows and put their results together; needs no network itself.

    A second pass runs the windows whose maps of the finally chosen classes are missing. Where a map
    takes many forward passes, the first one computes no maps, so that none is made in vain.

    Args:
        plan: of the clip.
        config: that the plan was made for.
        run_windows: runs the network on windows, here or elsewhere.
        began: ``time.perf_counter()`` when work on the clip began.

    Raises:
        ClipError: for a damaged clip where ``config.strict`` is set.
    """
    indices = range(len(plan.windows))
    scores_first = _scores_first(plan, config)
    results = {one.index: one for one in run_windows(indices, [] if scores_first else None)}
    damage = damage_of(plan.clip, list(results.values()))
    if config.strict:
        refuse_damage(plan.clip, damage)
    probabilities = np.stack([results[index].probabilities for index in indices])
    targets = explained_targets(probabilities, plan.labels, config, plan.class_ids)
    missing = {
        index: absent
        for index in indices
        if (absent := _needed(targets, index) - set(results[index].maps))
    }
    if missing:
        for one in run_windows(sorted(missing), _class_ids(missing.values())):
            results[one.index] = results[one.index].with_maps_of(one)
    ordered = [results[index] for index in indices]
    return _explanation(plan, config, ordered, targets, damage, time.perf_counter() - began)


def _scores_first(plan: ClipPlan, config: ExplainConfig) -> bool:
    """Whether maps of many passes wait until the clip's best classes are known."""
    is_known = bool(plan.class_ids or config.targets) or config.class_scope == "window"
    takes_many = any(name in SCORE_METHOD_NAMES for name in config.methods)
    return takes_many and len(plan.windows) > 1 and not is_known


def _needed(targets: Sequence[ExplainedTarget], window: int) -> set[MapTarget]:
    return {needed for target in targets for needed in target.needed(window)}


def _class_ids(missing: Iterable[set[MapTarget]]) -> list[int]:
    """The classes to explain in a second pass; functions were all explained in the first one."""
    return sorted({t.class_id for absent in missing for t in absent if isinstance(t, ClassTarget)})


def _explanation(
    plan: ClipPlan,
    config: ExplainConfig,
    results: Sequence[WindowResult],
    targets: Sequence[ExplainedTarget],
    damage: Damage,
    seconds: float,
) -> Explanation:
    maps = tuple(
        aggregate(
            results,
            targets,
            plan.map_keys,
            plan.centres,
            plan.head_biases,
            config.fuse,
            plan.refined,
        )
    )
    return Explanation(
        clip=plan.clip.info,
        model=plan.model,
        labels=plan.labels,
        geometry=plan.geometry,
        timeline=plan.clip.timeline,
        frame_indices=np.array([window.frame_indices for window in plan.windows], np.int64),
        num_padded=np.array([window.num_padded for window in plan.windows], np.int64),
        probabilities=np.stack([one.probabilities for one in results]),
        function_scores=np.stack([one.function_scores for one in results]),
        functions=tuple(map(function_name, config.targets)),
        maps=maps,
        span=(plan.span.first, plan.span.stop),
        scenes=tuple((scene.first, scene.stop) for scene in plan.scenes),
        options=config.as_json(),
        source_digest=plan.source_digest,
        notes=(
            *notes(plan, config, results, damage),
            *notes_on_maps(maps, hides_nothing(plan, config)),
        ),
        damage=damage,
        seconds={"explain": seconds},
    )
