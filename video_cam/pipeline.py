"""The story: a clip is explained, the maps are checked, then it is drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from video_cam.config import ExplainConfig, RenderConfig
from video_cam.explanation.explainer import explain_with
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.keyframe_gradients import GRADIENTS, keyframe_gradients
from video_cam.explanation.window_result import Deal
from video_cam.metrics.perturbation_check import CannotCheck, check_explanation
from video_cam.metrics.randomization_check import check_sanity
from video_cam.models.classifier import Classifier
from video_cam.models.labels import class_id
from video_cam.rendering.gradient_pictures import write_gradient_pictures
from video_cam.rendering.renderer import render_with
from video_cam.rendering.source_clip import as_explained
from video_cam.utils.progress import Progress, silent
from video_cam.video.clip import Clip


def check(model: Classifier, options: ExplainConfig) -> None:
    """Raise UsageError for what would fail on every clip, before work on the first one."""
    size = (options.num_frames or model.num_frames, *model.preprocess.crop)
    model.layers(size, options.layers, options.conv_backcount)
    for wanted in options.class_ids:
        class_id(wanted, model.labels)


def checked(
    clip: str,
    model: Classifier,
    explanation: Explanation,
    options: ExplainConfig,
    progress: Progress = silent,
) -> Explanation:
    """The explanation with the checks that ``options`` ask for, or a note why there is none."""
    began = time.perf_counter()
    asked = options.check is True
    checks: dict[str, Callable[[], dict[str, Any] | None]] = {}
    if options.check is not False:
        checks["check"] = partial(
            check_explanation, clip, model, explanation, options, progress, always=asked
        )
    if options.sanity:
        checks["sanity"] = partial(check_sanity, clip, model, explanation, options, progress)
    found: dict[str, Any] = {}
    notes = list(explanation.notes)
    for name, run in checks.items():
        try:
            found[name] = run()
        except CannotCheck as reason:
            if name == "sanity" or asked:
                notes.append(f"no {name}: {reason}")
    seconds = explanation.seconds | {"check": time.perf_counter() - began}
    return replace(explanation, seconds=seconds, notes=tuple(notes), **found)


def process(
    clip: Path,
    folder: Path,
    model: Classifier,
    options: ExplainConfig,
    look: RenderConfig,
    progress: Progress = silent,
    marks: Mapping[str, str] | None = None,
    deal: Deal | None = None,
) -> dict[str, Any]:
    """Explain one clip and write its results to ``folder``; returns its summary.

    ``marks`` are kept in the summary: they tell a later run what it finds. ``deal``: as
    ``explain_with`` takes it.
    """
    explanation = explain_with(str(clip), model, options, progress, deal)
    explanation = checked(str(clip), model, explanation, options, progress)
    opened = Clip.open(clip)
    kinds = [kind for kind in GRADIENTS if getattr(options, kind)]
    with TemporaryDirectory() as extra_files:
        if kinds:
            explained = as_explained(opened, explanation)
            gradients = keyframe_gradients(
                explained, model, explanation, kinds, options.targets, progress
            )
            write_gradient_pictures(Path(extra_files), explanation, gradients)
        return render_with(opened, explanation, folder, look, progress, Path(extra_files), marks)
