"""Which maps of a transformer find what its class depends on? Attention methods beside CAMs.

    python -m benchmarks.truth.attention [--clips 100] [--seed 0]

The network is ``transformer3d``; the clips are those of ``python -m video_cam.benchmark --model
transformer3d``. Means over clips with 95 % bootstrap intervals, and the paired differences from
random maps and from the same method's maps of the untrained network.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from benchmarks.truth.benchmark_clips import BenchmarkClips, draw_benchmark_clips
from benchmarks.truth.controls import CONTROLS
from benchmarks.truth.map_sources import untrained
from benchmarks.truth.measures import LOCALIZATION
from benchmarks.truth.table import COLUMNS
from video_cam import compute_cams, upsample
from video_cam.choice_names import ATTENTION_METHOD_NAMES
from video_cam.metrics import Interval, bootstrap, paired_difference
from video_cam.models.classifier import Classifier
from video_cam.models.registry import load_model
from video_cam.utils.progress import bar

METHODS = (*ATTENTION_METHOD_NAMES, "gradcam", "hirescam", "layercam")
MEASURES = ("space_pointing", "space_time_pointing", "average_precision", "mass_in_event")
DIFFERENCES = MEASURES[1:3]
Values = dict[str, np.ndarray]  # measure -> one value for each clip


def volumes(model: Classifier, clips: BenchmarkClips, method: str) -> Tensor:
    """The maps of the clips' classes, float32 (N, T, H, W), signed."""
    layers = () if method in ATTENTION_METHOD_NAMES else (model.layer,)
    found = []
    for x, class_ids in clips.batches():
        [cam] = compute_cams(model.module, x, layers=layers, methods=[method], targets=[class_ids])
        found.append(upsample(cam, cam.input_size))
    return torch.cat(found)


def measured(maps: Tensor, clips: BenchmarkClips) -> Values:
    """Each of MEASURES for every clip."""
    pairs = list(zip(maps.numpy(), clips.masks, strict=True))
    return {
        name: np.array([LOCALIZATION[name](heat, mask) for heat, mask in pairs])
        for name in MEASURES
    }


def table(rows: dict[str, Values], controls: dict[str, str]) -> str:
    """A table in Markdown.

    Args:
        rows: name -> values.
        controls: name of a method -> that of the same maps of the untrained network.
    """
    less = [f"{COLUMNS[name]}, less {other}" for name in DIFFERENCES for other in _OTHERS]
    heads = ["maps", *(COLUMNS[name] for name in MEASURES), *less]
    lines = [" | ".join(heads), "|".join(["---"] * len(heads))]
    for row, values in rows.items():
        cells = [_mean(bootstrap(values[name])) for name in MEASURES]
        for name in DIFFERENCES:
            for other in ("random", controls.get(row)):
                pair = None if other is None else (values[name], rows[other][name])
                cells.append("" if pair is None else _range(paired_difference(*pair)))
        lines.append(" | ".join([row, *cells]))
    return "\n".join(f"| {line} |" for line in lines)


_OTHERS = ("random", "untrained")


def _mean(interval: Interval) -> str:
    return f"{interval.mean:.2f} ± {(interval.high - interval.low) / 2:.2f}"


def _range(interval: Interval) -> str:
    return f"{interval.mean:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parsed = parser.parse_args(arguments)
    model = load_model("transformer3d")
    random = untrained(model)
    clips = draw_benchmark_clips(model, parsed.clips, parsed.seed, bar)
    print(f"{len(clips)} clips count, of {clips.drawn} drawn\n", flush=True)
    rows = {name: measured(draw(clips), clips) for name, draw in CONTROLS.items()}
    controls = {}
    for method in METHODS:
        controls[method] = f"{method}, untrained"
        rows[method] = measured(volumes(model, clips, method), clips)
        rows[controls[method]] = measured(volumes(random, clips, method), clips)
    print(table(rows, controls))


if __name__ == "__main__":
    main()
