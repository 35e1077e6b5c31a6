"""Are the maps right? Method x layer x placement on drawn clips, whose truth is known.

    python -m video_cam.benchmark [--clips 200] [--seed 0] [--peers] [--json FILE]

The bundled network on held-out clips that it reads from the event alone. Distractors move as much
as the actor does, so the frame difference, a control, shows what movement alone is worth. Means
over clips with 95 % bootstrap intervals; every row is resampled alike.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.truth.drawn_benchmark import Yardstick
    from benchmarks.truth.sources import Row
    from benchmarks.truth.table import Measured
    from video_cam.models.classifier import Classifier

METHODS = ("gradcam", "gradcam++", "hirescam", "layercam")
LAYERS = ("layer4", "layer3")
FAITHFUL_CLIPS = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit status: 0 done, 2 wrong arguments, 130 interrupted."""
    parsed = build_parser().parse_args(arguments)
    from video_cam.errors import VideoCamError

    try:
        run(parsed)
    except (VideoCamError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m video_cam.benchmark",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--clips", type=int, default=200, help="clips that count (default: 200)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other clips")
    parser.add_argument("--methods", nargs="+", default=METHODS, metavar="NAME")
    parser.add_argument("--layers", nargs="+", default=LAYERS, metavar="NAME")
    parser.add_argument("--peers", action="store_true", help="and the peers' maps")
    parser.add_argument(
        "--faithful-clips",
        type=int,
        default=FAITHFUL_CLIPS,
        metavar="N",
        help="clips whose altered versions are scored, for the last four measures (default: 10)",
    )
    parser.add_argument(
        "--units",
        action="store_true",
        help="also insertion and deletion by voxels, frames and tubes, blurred and by mean colour",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    parser.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="write benchmark.md and benchmark.png there"
    )
    return parser


def run(parsed: argparse.Namespace) -> None:
    """Draw, measure, print, write."""
    from benchmarks.truth.drawn_benchmark import draw_yardstick
    from benchmarks.truth.peers import check_installed
    from benchmarks.truth.table import as_json, differences_markdown, draw, markdown
    from video_cam.attribution.methods import METHODS as KNOWN
    from video_cam.models.registry import BUNDLED, load_model
    from video_cam.utils.names import check_names
    from video_cam.utils.progress import bar

    began = time.perf_counter()
    check_names("method", parsed.methods, KNOWN)
    parsed.methods = list(dict.fromkeys(parsed.methods))
    _check_writable(parsed)
    if parsed.peers:
        check_installed()
    model = load_model(BUNDLED)
    size = (model.num_frames, *model.preprocess.crop)
    parsed.layers = list(model.layers(size, parsed.layers).names)
    clips = draw_yardstick(model, parsed.clips, parsed.seed, bar)
    print(f"{len(clips)} clips count, of {clips.drawn} drawn\n", flush=True)
    rows = list(_measured(parsed, model, clips))
    texts = [markdown(rows), differences_markdown(rows), _power(parsed, model, clips)]
    if parsed.units:
        texts.insert(1, _units(parsed, model, clips))
    text = "\n\n".join(texts)
    print(text)
    print(f"\n{time.perf_counter() - began:.0f} s", flush=True)
    if parsed.output_dir:
        _write(parsed.output_dir / "benchmark.md", text + "\n")
        draw(parsed.output_dir / "benchmark.png", rows)
    if parsed.json:
        _write(parsed.json, json.dumps(as_json(rows), indent=2) + "\n")


def _check_writable(parsed: argparse.Namespace) -> None:
    """Before the work: a place to write to, and clips to measure on."""
    from video_cam.errors import UsageError

    if parsed.faithful_clips < 1:
        raise UsageError(f"--faithful-clips {parsed.faithful_clips} must be 1 or more")
    if parsed.output_dir:
        parsed.output_dir.mkdir(parents=True, exist_ok=True)
    if parsed.json:
        if parsed.json.is_dir():
            raise UsageError(f"--json {str(parsed.json)!r} is a folder: name a file in it")
        parsed.json.parent.mkdir(parents=True, exist_ok=True)


def _power(parsed: argparse.Namespace, model: Classifier, clips: Yardstick) -> str:
    from benchmarks.truth.check_power import check_power

    count = 2 * parsed.faithful_clips
    power = check_power(model, clips, parsed.methods[0], parsed.layers[0], count)
    return f"The check tells true maps from false ones ({min(count, len(clips))} clips), {power}"


def _units(parsed: argparse.Namespace, model: Classifier, clips: Yardstick) -> str:
    """Of the first method and layer, and of the controls."""
    from benchmarks.truth.measures import measure_units
    from benchmarks.truth.sources import control_rows, own_rows
    from benchmarks.truth.table import Measured, units_markdown

    method, layer = parsed.methods[0], parsed.layers[0]
    first = next(own_rows(model, clips, [method], [layer]))
    return units_markdown(
        [
            Measured(
                row.method,
                row.layer,
                row.align,
                row.source,
                measure_units(row, model, clips, parsed.faithful_clips),
                row.seconds,
            )
            for row in (first, *control_rows(model, clips, method, layer))
        ]
    )


def _measured(
    parsed: argparse.Namespace, model: Classifier, clips: Yardstick
) -> Iterator[Measured]:
    from benchmarks.truth.measures import measure
    from benchmarks.truth.peers import peer_rows
    from benchmarks.truth.sources import control_rows, own_rows
    from benchmarks.truth.table import Measured
    from video_cam.utils.progress import bar

    sources: list[Iterator[Row]] = [
        own_rows(model, clips, parsed.methods, parsed.layers),
        control_rows(model, clips, parsed.methods[0], parsed.layers[0]),
    ]
    if parsed.peers:
        sources.append(peer_rows(model, clips, parsed.methods, parsed.layers))
    with bar("rows", _count_rows(parsed)) as step:
        for row in chain.from_iterable(sources):
            values = measure(row, model, clips, parsed.faithful_clips)
            step(1)
            yield Measured(row.method, row.layer, row.align, row.source, values, row.seconds)


def _count_rows(parsed: argparse.Namespace) -> int:
    from benchmarks.truth.peers import has_method
    from benchmarks.truth.sources import CONTROLS
    from video_cam.config import ALIGNMENT_NAMES

    maps = len(parsed.methods) * len(ALIGNMENT_NAMES)
    if parsed.peers:
        maps += sum(len(has_method(method)) for method in parsed.methods)
    return maps * len(parsed.layers) + len(CONTROLS) + 1


def _write(path: Path, text: str) -> None:
    from video_cam.utils.files import write_atomically

    write_atomically(path, text.encode("utf-8"))


if __name__ == "__main__":
    sys.exit(main())
