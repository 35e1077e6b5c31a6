"""Are the maps right? Method x layer x alignment x detail on drawn clips with known ground truth.

    python -m video_cam.benchmark [--clips 200] [--model texture3d] [--crowded] [--json FILE]

The maps are of a bundled network, on held-out clips whose class it takes from the event (of
texture3d: from the texture) alone. The distractors in these clips move as much as the actor;
controls show what movement and edges alone achieve. The table has means over clips with 95 %
bootstrap intervals; the bootstrap draws the same clips for every row.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.truth.options import BenchmarkOptions
from video_cam.errors import VideoCamError, first_line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark.

    Returns:
        The exit status: 0 done, 2 wrong arguments, 130 interrupted.
    """
    parsed = vars(build_parser().parse_args(arguments))
    for name in ("methods", "layers", "align", "detail"):
        parsed[name] = tuple(dict.fromkeys(parsed[name]))
    try:
        options = BenchmarkOptions(**parsed)
        options.prepare_outputs()
        # Imports PyTorch.
        from benchmarks.truth.run import run_benchmark

        run_benchmark(options)
    except (VideoCamError, OSError) as error:
        print(f"error: {first_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments."""
    defaults = BenchmarkOptions
    parser = argparse.ArgumentParser(
        prog="python -m video_cam.benchmark",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--clips", type=int, default=defaults.clips, help="clips to measure (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=defaults.seed, help="another seed draws other clips"
    )
    parser.add_argument(
        "--model", default=defaults.model, help="motion3d or texture3d (default: %(default)s)"
    )
    parser.add_argument(
        "--crowded",
        action="store_true",
        help="clips in which a distractor that moves as much as the actor lies within one cell of "
        "layer4 of it",
    )
    parser.add_argument("--methods", nargs="+", default=defaults.methods, metavar="NAME")
    parser.add_argument("--layers", nargs="+", default=defaults.layers, metavar="NAME")
    parser.add_argument(
        "--align",
        nargs="+",
        default=defaults.align,
        metavar="NAME",
        help="of maps without detail (default: all)",
    )
    parser.add_argument(
        "--detail", nargs="+", default=defaults.detail, metavar="NAME", help="default: all"
    )
    parser.add_argument("--peers", action="store_true", help="also measure other tools' maps")
    parser.add_argument(
        "--faithful-clips",
        type=int,
        default=defaults.faithful_clips,
        metavar="N",
        help="clips for insertion, deletion, drop and increase, which run the network on altered "
        "clips (default: %(default)s)",
    )
    parser.add_argument(
        "--units",
        action="store_true",
        help="also insertion and deletion by voxels, frames and tubes, with blur and with the mean "
        "colour as baseline",
    )
    parser.add_argument(
        "--motion",
        action="store_true",
        help="the motion share of both networks, which are known to answer by motion and by "
        "texture, instead of the tables of maps",
    )
    parser.add_argument(
        "--frames",
        action="store_true",
        help="what the frame test finds against the event's frames, instead of the tables of maps",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    parser.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="write benchmark.md and benchmark.png there"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
