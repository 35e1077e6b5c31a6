"""Is the frame test right? What frames add, and which are enough, against the event's frames."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from benchmarks.truth.benchmark_clips import BATCH, BenchmarkClips, draw_benchmark_clips
from benchmarks.truth.map_sources import DEFAULT_ALIGN, class_volumes, detail_volumes
from benchmarks.truth.options import BenchmarkOptions
from video_cam import metrics
from video_cam.analysis.frame_test import measure_frames, most_forwards
from video_cam.analysis.kept_frames import KeptFrames
from video_cam.explanation.map_series import ClassTarget, MapTarget
from video_cam.metrics import bootstrap
from video_cam.metrics.perturbation_check import frame_difference
from video_cam.models.classifier import Classifier
from video_cam.models.registry import load_model
from video_cam.perturbation.alterations import Alteration
from video_cam.perturbation.scoring import scores_of_altered
from video_cam.utils.files import write_atomically
from video_cam.utils.memory import BatchHalving
from video_cam.utils.progress import Progress, Step, bar, silent

METHOD, LAYER, DETAIL = "gradcam", "layer4", "layers"
# What is measured -> heading.
RANKED = {
    "contributions": "what frames add",
    "map": f"frame mass of {METHOD} {LAYER}",
    "detail": f"the same with detail {DETAIL}",
    "difference": "frame difference",
    "chance": "share of frames in the event",
}
FOUND = {
    "frames": "frames that are enough",
    "inside": "of them in the event",
    "near": "at most one frame from it",
    "kept": "share of the probability they keep",
    "error": "standard error, share of the largest contribution",
    "rest": "sum less difference of scores",
    "forwards": "forward passes",
}
Values = dict[str, np.ndarray]  # key of RANKED or FOUND -> float64 (clips,)


class ClipScores:
    """Scores of one clip's altered versions, each computed once; its window has the number 0."""

    def __init__(self, model: Classifier, x: Tensor) -> None:
        self._model, self._x = model, x.to(model.device)
        self._known: dict[Alteration, np.ndarray] = {}

    def num_forwards(self, windows: Sequence[int], alterations: Sequence[Alteration]) -> int:
        """How many of these are not known."""
        return len([one for one in dict.fromkeys(alterations) if one not in self._known])

    def all_scores(
        self, windows: Sequence[int], alterations: Sequence[Alteration], stage: str | Step
    ) -> np.ndarray:
        """Logits of all classes, float64 (1, alterations, classes)."""
        missing = [one for one in dict.fromkeys(alterations) if one not in self._known]
        altered = [(self._x, one) for one in missing]
        if altered:
            batches = scores_of_altered(self._model.module, altered, BatchHalving(BATCH))
            logits = torch.cat([*batches]).double().cpu().numpy()
            self._known.update(zip(missing, logits, strict=True))
        return np.array([[self._known[one] for one in alterations]])

    def differences(
        self,
        target: MapTarget,
        windows: Sequence[int],
        alterations: Sequence[Alteration],
        stage: str | Step,
    ) -> np.ndarray:
        """The class's logit less the mean of all classes, float64 (1, alterations)."""
        assert isinstance(target, ClassTarget)
        logits = self.all_scores(windows, alterations, stage)
        return np.asarray(logits[..., target.class_id] - logits.mean(-1))

    def probabilities(
        self,
        target: MapTarget,
        windows: Sequence[int],
        alterations: Sequence[Alteration],
        stage: str | Step,
    ) -> np.ndarray:
        """The class's softmax, float64 (1, alterations)."""
        assert isinstance(target, ClassTarget)
        logits = torch.from_numpy(self.all_scores(windows, alterations, stage))
        return logits.softmax(-1).numpy()[..., target.class_id]


def run_frames(options: BenchmarkOptions) -> None:
    """Print the table and write the files that are asked for.

    Raises:
        UsageError: a number of clips that cannot be drawn. OSError: a file cannot be written.
    """
    model = load_model(options.model)
    clips = draw_benchmark_clips(model, options.clips, options.seed, bar, options.crowded)
    values = frame_values(model, clips, bar)
    text = f"{len(clips)} clips, of {clips.drawn} drawn\n\n{frames_markdown(values)}"
    print(text)
    if options.output_dir:
        write_atomically(options.output_dir / "frames.md", f"{text}\n".encode())
    if options.json:
        of_clips = {name: each.tolist() for name, each in values.items()}
        write_atomically(options.json, f"{json.dumps(of_clips, indent=2)}\n".encode())


def frame_values(model: Classifier, clips: BenchmarkClips, progress: Progress = silent) -> Values:
    """The measures of every clip, for the class of its event."""
    volumes = {
        "map": class_volumes(model, clips, METHOD, LAYER, DEFAULT_ALIGN),
        "detail": detail_volumes(model, clips, METHOD, LAYER, DETAIL),
        "difference": torch.stack([frame_difference(x) for x in clips.x]),
    }
    found: dict[str, list[float]] = {name: [] for name in (*RANKED, *FOUND)}
    with progress("frame test", len(clips)) as step:
        for number in range(len(clips)):
            in_event = clips.masks[number].any((1, 2))
            for name, maps in volumes.items():
                mass = maps[number].clamp(min=0).mean((1, 2)).double().numpy()
                found[name].append(average_precision(mass, in_event))
            found["chance"].append(float(in_event.mean()))
            of_clip = _of_clip(model, clips.x[number], clips.class_ids[number], in_event)
            for name, value in of_clip.items():
                found[name].append(value)
            step(1)
    return {name: np.array(values) for name, values in found.items()}


def average_precision(scores: np.ndarray, in_event: np.ndarray) -> float:
    """Of frames ranked by scores, as detectors of the event's frames; (T,) each."""
    return metrics.average_precision(scores[:, None, None], in_event[:, None, None])


def _of_clip(model: Classifier, x: Tensor, class_id: int, in_event: np.ndarray) -> dict[str, float]:
    num_frames = x.shape[1]
    kept = KeptFrames(
        ClipScores(model, x),
        ClassTarget(class_id),
        0,
        np.arange(num_frames),
        is_probability=True,
        most_forwards=most_forwards(num_frames),
        step=lambda count: None,
    )
    found = measure_frames(kept)
    chosen = sorted(found.sufficient or ())
    is_near = metrics.localization.dilated(in_event[:, None, None], (1, 0, 0))[:, 0, 0]
    contributions = found.contributions
    return {
        "contributions": average_precision(contributions, in_event),
        "frames": len(chosen),
        "inside": float(np.mean(in_event[chosen])) if chosen else np.nan,
        "near": float(np.mean(is_near[chosen])) if chosen else np.nan,
        "kept": kept.share(chosen) or np.nan,
        "error": float(found.standard_errors.mean() / np.abs(contributions).max()),
        "rest": abs(float(contributions.sum()) - (kept.score - kept.blank_score)),
        "forwards": kept.num_forwards,
    }


def frames_markdown(values: Values) -> str:
    """Two tables: means with half the width of their 95 % intervals, and the largest values."""
    lines = ["| frames ranked by | average precision |", "|---|---|"]
    lines += [f"| {heading} | {_cell(values[name])} |" for name, heading in RANKED.items()]
    lines += ["", "| sufficient frames and sums | mean | largest |", "|---|---|---|"]
    for name, heading in FOUND.items():
        largest = f"{np.nanmax(values[name]):.3g}"
        lines.append(f"| {heading} | {_cell(values[name])} | {largest} |")
    return "\n".join(lines)


def _cell(values: np.ndarray) -> str:
    interval = bootstrap(values)
    digits = 1 if interval.mean >= 10 else 3
    return f"{interval.mean:.{digits}f} ± {(interval.high - interval.low) / 2:.{digits}f}"
