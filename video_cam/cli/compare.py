"""``python -m video_cam.compare RUN_A RUN_B``: runs over the same clips, side by side."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from video_cam.cli.console import Console
from video_cam.errors import UsageError
from video_cam.utils.names import printable_path

EXIT_DONE, EXIT_USAGE, EXIT_INTERRUPTED = 0, 2, 130
SHOWN_CLIPS = 100  # that changed; the page has all
_DESCRIPTION = """\
Compare two or more runs over the same clips, such as two checkpoints, methods or layers: which
predictions changed, and how alike the maps are. A page shows the runs' videos in step."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: words of the command line; None for those of this process.

    Returns:
        The exit status: 0 done, 2 wrong arguments, 130 interrupted.

    Raises:
        SystemExit: after ``--help``, and with status 2 for arguments that cannot be parsed.
    """
    parsed = _parser().parse_args(arguments)
    console = Console(quiet=parsed.quiet)
    try:
        _compare([Path(run) for run in parsed.runs], Path(parsed.output_dir), console)
    except UsageError as error:
        console.error(str(error))
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_DONE


def _compare(folders: Sequence[Path], output_dir: Path, console: Console) -> None:
    from video_cam.batch.comparison import compare_runs
    from video_cam.evaluation.comparison import SAME

    comparison = compare_runs(folders, output_dir, console.progress)
    changed = [clip for clip in comparison.clips if clip.change != SAME]
    for clip in changed[:SHOWN_CLIPS]:
        truth = "" if clip.truth is None else f", it is {clip.truth}"
        console.info(
            f"{clip.change}: {printable_path(clip.name)}: {' -> '.join(clip.labels)}{truth}"
        )
    if len(changed) > SHOWN_CLIPS:
        console.info(f"and {len(changed) - SHOWN_CLIPS} more")
    console.info(f"{'; '.join(comparison.sentences())}; see {output_dir / 'index.html'}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m video_cam.compare",
        description=_DESCRIPTION,
        epilog="Exit status: 0 done, 2 wrong arguments.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="the --output-dir of a run; the others are compared with the first one",
    )
    parser.add_argument(
        "--output-dir",
        default="comparison",
        metavar="DIR",
        help="the page is DIR/index.html; it shows the videos that are in the runs (default: "
        "%(default)s)",
    )
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    return parser
