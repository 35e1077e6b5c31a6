"""One clip from file to results: open it, explain it, verify the maps, draw them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from video_cam.analysis.frame_test import run_frame_test
from video_cam.analysis.motion_maps import motion_maps
from video_cam.analysis.motion_test import check_applies, run_motion_test
from video_cam.analysis.window_scores import WindowScores
from video_cam.config import ExplainConfig, LimitsConfig, RenderConfig
from video_cam.errors import CheckNotApplicable
from video_cam.evaluation.clip_answer import clip_answer
from video_cam.explanation.explainer import explain_clip, explain_prepared
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.keyframe_gradients import GRADIENTS
from video_cam.explanation.own_method import check_scores_only
from video_cam.explanation.window_source import PreparedClip
from video_cam.metrics.perturbation_check import run_perturbation_check
from video_cam.metrics.randomization_check import run_randomization_check
from video_cam.models.classifier import Classifier
from video_cam.models.labels import class_id
from video_cam.rendering.renderer import render_with, within_memory
from video_cam.rendering.result_folder import temporary_folder
from video_cam.truth.clip_truth import ClipTruth
from video_cam.utils.notes import Note
from video_cam.utils.progress import Progress, silent
from video_cam.video.clip import Clip


class ClipExplainer(Protocol):
    """Explains clips: a network in this process, or actors that hold one each."""

    def explain(self, clip: Clip, config: ExplainConfig, progress: Progress) -> Explanation:
        """The maps of a clip, with the checks that ``config`` asks for.

        Raises:
            UsageError: for options that do not fit the network or the clip.
            ClipError: for a clip that cannot be used.
        """

    def write_gradients(
        self,
        clip: Clip,
        explanation: Explanation,
        config: ExplainConfig,
        folder: Path,
        progress: Progress,
    ) -> None:
        """Write the pictures of ``--guided`` and ``--smoothgrad`` to sub-folders of ``folder``."""

    def fingerprint_parts(self, config: ExplainConfig) -> dict[str, Any]:
        """Everything of the network and ``config`` that changes a result, for JSON."""


def process_clip(
    path: Path,
    output_dir: Path,
    explainer: ClipExplainer,
    config: ExplainConfig,
    render: RenderConfig,
    limits: LimitsConfig | None = None,
    progress: Progress = silent,
    summary_entries: Mapping[str, Any] | None = None,
    truth: ClipTruth | None = None,
) -> dict[str, Any]:
    """Explain one clip and write its results to ``output_dir``, which appears when all are there.

    Args:
        path: a video, GIF, still image or folder of numbered images.
        limits: how much the file may ask for; None for the default limits.
        summary_entries: further entries of the summary; they tell a later run what it finds.
        truth: the clip's ground truth, with which the summary compares the result.

    Returns:
        The content of summary.json.

    Raises:
        UsageError: for options that do not fit, or a folder that must not be replaced.
        ClipError: for a clip that cannot be used.
    """
    clip = Clip.open(path, limits, config.bit_depth, config.video_stream)
    within_memory(clip, 1, render)  # what cannot be drawn is not explained
    explanation = explainer.explain(clip, config, progress)
    entries = dict(summary_entries or {})
    if truth is not None:
        entries["truth"] = clip_answer(explanation, truth)
    with _gradient_pictures(
        explainer, clip, explanation, config, output_dir, progress
    ) as extra_files:
        masks = truth.masks if truth is not None else ()
        return render_with(
            clip, explanation, output_dir, render, progress, extra_files, entries, masks
        )


def explain_and_verify(
    clip: Clip,
    model: Classifier,
    config: ExplainConfig,
    progress: Progress = silent,
    prepared: PreparedClip | None = None,
) -> Explanation:
    """The maps of a clip, with the checks that ``config`` asks for.

    Args:
        prepared: the clip's frames where another process has read them.

    Raises:
        UsageError: for options that do not fit the network or the clip.
        ClipError: for a clip that cannot be used.
    """
    if prepared is None:
        explanation = explain_clip(clip, model, config, progress)
    else:
        explanation = explain_prepared(prepared, model, config, progress)
    return verify(clip, model, explanation, config, progress)


def verify(
    clip: Clip,
    model: Classifier,
    explanation: Explanation,
    config: ExplainConfig,
    progress: Progress = silent,
) -> Explanation:
    """Run the checks that ``config`` asks for.

    Returns:
        The explanation with their results; where a check was asked for and cannot be run, with a
        note that says why.
    """
    began = time.perf_counter()
    is_asked_for = config.check is True
    checks: dict[str, Callable[[], dict[str, Any] | None]] = {}
    if config.check is not False:
        checks["check"] = partial(
            run_perturbation_check, clip, model, explanation, config, progress, always=is_asked_for
        )
    if config.sanity:
        checks["sanity"] = partial(
            run_randomization_check, clip, model, explanation, config, progress
        )
    results: dict[str, Any] = {}
    notes = list(explanation.notes)
    for name, run in checks.items():
        try:
            results[name] = run()
        except CheckNotApplicable as reason:
            if name == "sanity" or is_asked_for:
                notes.append(Note(f"no {name}: {reason}"))
    if config.motion_test or config.frame_test:
        scores = WindowScores(clip, model, explanation, config, progress)
        if config.motion_test:
            results |= _motion_results(clip, model, explanation, config, scores, progress, notes)
        if config.frame_test:
            results |= _frame_results(scores, explanation, progress, notes)
        if scores.memory_note:
            notes.append(Note(scores.memory_note))
    seconds = explanation.seconds | {"check": time.perf_counter() - began}
    return replace(explanation, seconds=seconds, notes=tuple(notes), **results)


def _motion_results(
    clip: Clip,
    model: Classifier,
    explanation: Explanation,
    config: ExplainConfig,
    scores: WindowScores,
    progress: Progress,
    notes: list[Note],
) -> dict[str, Any]:
    """Fields of the explanation; ``notes`` get the reason where one of them is missing."""
    results: dict[str, Any] = {}
    try:
        check_applies(model, explanation)
        try:
            results["motion_maps"] = motion_maps(clip, model, explanation, config, scores, progress)
        except CheckNotApplicable as reason:
            notes.append(Note(f"no map of motion: {reason}"))
        results["motion_test"] = run_motion_test(scores, explanation)
        if model.input_layout.factory is not None:
            notes.append(
                Note("the motion test alters the clip, and not what --input-factory adds to it")
            )
    except CheckNotApplicable as reason:
        notes.append(Note(f"no motion test: {reason}"))
    return results


def _frame_results(
    scores: WindowScores, explanation: Explanation, progress: Progress, notes: list[Note]
) -> dict[str, Any]:
    try:
        return {"frame_test": run_frame_test(scores, explanation, progress)}
    except CheckNotApplicable as reason:
        notes.append(Note(f"no frame test: {reason}"))
        return {}


def check_options(model: Classifier, config: ExplainConfig) -> None:
    """Raise UsageError for what the network lacks, before any clip is read."""
    check_scores_only(model, config)
    size = (config.num_frames or model.num_frames, *model.preprocess.crop)
    if config.layer_methods:
        model.layers(size, config.layers, config.conv_backcount)
    for wanted in config.class_ids:
        class_id(wanted, model.labels)


@contextmanager
def _gradient_pictures(
    explainer: ClipExplainer,
    clip: Clip,
    explanation: Explanation,
    config: ExplainConfig,
    output_dir: Path,
    progress: Progress,
) -> Iterator[Path | None]:
    """A temporary folder with the pictures that ``config`` asks for; None where it asks for none.

    They are computed before rendering, which runs no network.
    """
    if not any(getattr(config, kind) for kind in GRADIENTS):
        yield None
        return
    with temporary_folder(output_dir) as folder:
        explainer.write_gradients(clip, explanation, config, folder, progress)
        yield folder
