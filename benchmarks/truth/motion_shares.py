"""Is the motion share right? Two networks for which the answer is known: motion and texture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.truth.benchmark_clips import BATCH, BenchmarkClips, draw_benchmark_clips
from benchmarks.truth.options import BenchmarkOptions
from video_cam.analysis.motion_test import numbers_of, versions
from video_cam.metrics import Interval, bootstrap
from video_cam.models.classifier import Classifier
from video_cam.models.registry import load_model
from video_cam.perturbation.scoring import scores_of_altered
from video_cam.utils.files import write_atomically
from video_cam.utils.memory import BatchHalving
from video_cam.utils.progress import Progress, bar, silent

COLUMNS = {
    "score": "score",
    "frozen": "one frame, mean",
    "frozen_best": "one frame, best",
    "shuffled": "shuffled",
    "reversed": "reversed",
    "slow": "half speed",
    "fast": "double speed",
    "still": "blurred still",
}
SHARE = "motion_share"

# What each of them goes by is known: one by motion, the other by appearance.
NETWORKS = ("motion3d", "texture3d")


@dataclass(frozen=True)
class MotionShares:
    """What the motion test measured of one network.

    Attributes:
        network: its name.
        values: SHARE and the keys of COLUMNS -> float64 (clips,).
        drawn: number of clips that were drawn to find these.
    """

    network: str
    values: dict[str, np.ndarray]
    drawn: int


def run_motion(options: BenchmarkOptions) -> None:
    """Print the table of both networks and write the files that are asked for.

    Raises:
        UsageError: a number of clips that cannot be drawn. OSError: a file cannot be written.
    """
    rows = []
    for name in NETWORKS:
        model = load_model(name)
        clips = draw_benchmark_clips(model, options.clips, options.seed, bar, options.crowded)
        rows.append(motion_shares(model, clips, bar))
    text = motion_markdown(rows)
    print(text)
    if options.output_dir:
        write_atomically(options.output_dir / "motion.md", f"{text}\n".encode())
    if options.json:
        write_atomically(options.json, f"{json.dumps([*map(_json, rows)], indent=2)}\n".encode())


def motion_shares(
    model: Classifier, clips: BenchmarkClips, progress: Progress = silent
) -> MotionShares:
    """The motion test of every clip's own class."""
    found: dict[str, list[float]] = {name: [] for name in (SHARE, *COLUMNS)}
    with progress("motion test", len(clips)) as step:
        for x, class_id in zip(clips.x, clips.class_ids, strict=True):
            altered = [(x.to(model.device), one) for one in versions(x.shape[1])]
            batches = scores_of_altered(model.module, altered, BatchHalving(BATCH))
            logits = torch.cat([*batches]).double().cpu().numpy()
            numbers = numbers_of(logits[:, class_id] - logits.mean(1))
            for name, values in found.items():
                value = numbers[name]
                values.append(np.nan if value is None else value)
            step(1)
    of_clips = {name: np.array(values) for name, values in found.items()}
    return MotionShares(model.name, of_clips, clips.drawn)


def motion_markdown(rows: Sequence[MotionShares]) -> str:
    """The table: means with half the width of their 95 % intervals."""
    heads = ["network", "clips", "motion share", "smallest", "largest", *COLUMNS.values()]
    lines = [" | ".join(heads), "|".join(["---"] * len(heads))]
    for row in rows:
        shares = row.values[SHARE]
        cells = [row.network, f"{len(shares)} of {row.drawn}", _cell(shares, 3)]
        cells += [f"{np.nanmin(shares):.3f}", f"{np.nanmax(shares):.3f}"]
        lines.append(" | ".join([*cells, *(_cell(row.values[name], 1) for name in COLUMNS)]))
    return "\n".join(f"| {line} |" for line in lines)


def _cell(values: np.ndarray, digits: int) -> str:
    interval = bootstrap(values)
    half = (interval.high - interval.low) / 2
    return f"{interval.mean:.{digits}f} ± {half:.{digits}f}"


def _json(row: MotionShares) -> dict[str, Any]:
    def plain(interval: Interval) -> dict[str, float]:
        return interval._asdict()

    return {
        "network": row.network,
        "drawn": row.drawn,
        **{name: plain(bootstrap(values)) for name, values in row.values.items()},
        "motion_shares": [None if np.isnan(one) else one for one in row.values[SHARE].tolist()],
    }
