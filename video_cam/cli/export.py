"""``video-cam export FORMAT DIR``: finished results as the files of other tools."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from video_cam.cli.console import Console
from video_cam.cli.export_files import FILE_FORMATS, add_file_options, export_file
from video_cam.cli.option_types import some_path
from video_cam.cli.program import program_name

NAME = "export"
_DESCRIPTION = """\
Write finished results as files to send or as files of another tool. The network is not run, and
the results are not changed. Options of a format: export FORMAT --help."""
_FILE_EPILOG = (
    "Exit status: 0 done, 1 the clip cannot be read or the file not be written, 2 wrong arguments."
)
_EPILOG = "Exit status: 0 done, 1 a clip was left out, 2 wrong arguments."
# Format -> what is written.
_FORMATS = {
    "npz": "NumPy archives: each map as a signed volume (T, H, W)",
    "nifti": "NIfTI volumes for viewers of medical images",
    "coco": "boxes and masks of high heat in every frame, as COCO has them",
    "rerun": "recordings for Rerun's viewer",
    "fiftyone": "a dataset of FiftyOne, with heat maps on every frame",
}
# Those that go to a server or its folder, as its own settings say, instead of a folder of ours.
_LOGGERS = {
    "wandb": "a run of Weights & Biases: videos, keyframes, scores",
    "mlflow": "a run of MLflow: videos and keyframes as artifacts, scores as metrics",
}


def run_export(arguments: Sequence[str]) -> int:
    """Run the command.

    Args:
        arguments: words of the command line after "export".

    Returns:
        The exit status: 0 done, 1 a clip was left out.

    Raises:
        UsageError: for wrong options, missing results or packages.
        SystemExit: after ``--help``, and with status 2 for arguments that cannot be parsed.
    """
    parsed = parser().parse_args(arguments)
    console = Console(quiet=parsed.quiet)
    if parsed.format in FILE_FORMATS:
        export_file(parsed.format, parsed, console)
        return 0
    options = vars(parsed)
    del options["quiet"]
    kind, results = options.pop("format"), options.pop("results")
    if kind in _LOGGERS:
        from video_cam.cli.export_runs import log_to_new_run

        console.info(log_to_new_run(kind, results, **options))
        return 0
    output = options.pop("output")
    exported = _function(kind)(results, output, reporter=console, **options)
    for note in exported.notes:
        console.info(f"note: {note}")
    count = len(exported.clips)
    left_out = f", {len(exported.left_out)} left out" if exported.left_out else ""
    console.info(f"{count} clip{'' if count == 1 else 's'}{left_out}; see {exported.folder}")
    return 1 if exported.left_out else 0


def _function(kind: str) -> Callable[..., Any]:
    """The function that writes a format; imported here, as it imports PyTorch."""
    from video_cam import export

    functions: dict[str, Callable[..., Any]] = {
        "npz": export.to_npz,
        "nifti": export.to_nifti,
        "coco": export.to_coco,
        "rerun": export.to_rerun,
        "fiftyone": export.to_fiftyone,
    }
    return functions[kind]


def parser() -> argparse.ArgumentParser:
    """The parser of the words after "export"; its defaults are those of the functions."""
    whole = argparse.ArgumentParser(
        prog=f"{program_name()} {NAME}",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    formats = whole.add_subparsers(dest="format", metavar="FORMAT", required=True)
    parsers = {}
    for kind, what in _FORMATS.items():
        one = formats.add_parser(
            kind, help=what, description=what, epilog=_EPILOG, allow_abbrev=False
        )
        _add_common(one, kind)
        parsers[kind] = one
    for kind in ("npz", "nifti"):
        _add_grid(parsers[kind])
    _add_nifti(parsers["nifti"])
    _add_coco(parsers["coco"])
    _add_max_side(parsers["rerun"], 640, "of frames, in pixels")
    _add_max_side(parsers["fiftyone"], 256, "of heat maps, in samples")
    _add_fiftyone(parsers["fiftyone"])
    for kind, what in FILE_FORMATS.items():
        one = formats.add_parser(
            kind, help=what, description=what, epilog=_FILE_EPILOG, allow_abbrev=False
        )
        _add_results(one, "the folder of one clip's results")
        add_file_options(one, kind)
    for kind, what in _LOGGERS.items():
        one = formats.add_parser(
            kind, help=what, description=what, epilog=_EPILOG, allow_abbrev=False
        )
        _add_results(one)
        one.add_argument(
            "--project",
            default="video_cam",
            help="W&B's project or MLflow's experiment (default: %(default)s)",
        )
        one.add_argument("--run-name", metavar="NAME", help="of the new run (default: the tool's)")
    return whole


def _add_results(
    parser: argparse.ArgumentParser,
    what: str = "the --output-dir of a run, or the folder of one clip in it",
) -> None:
    parser.add_argument("results", metavar="DIR", help=what)
    parser.add_argument("--quiet", action="store_true", help="print errors only")


def _add_common(parser: argparse.ArgumentParser, kind: str) -> None:
    _add_results(parser)
    parser.add_argument(
        "--output",
        type=some_path,
        metavar="PATH",
        help=f"the folder to write (default: exports/<name of DIR>-{kind}); an earlier export in "
        "it is replaced",
    )
    parser.add_argument(
        "--map",
        dest="maps",
        type=int,
        nargs="+",
        default=(),
        metavar="N",
        help="which maps, in the order of summary.json, counted from 0 (default: all)",
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="every N-th frame (default: %(default)s)"
    )


def _add_grid(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--grid",
        choices=("source", "cells"),
        default="source",
        help="samples on the source's pixels, or the map's own cells (default: %(default)s)",
    )
    _add_max_side(parser, None, "of the source's frame, in samples; one for each pixel by default")


def _add_max_side(parser: argparse.ArgumentParser, default: int | None, of_what: str) -> None:
    shown = "" if default is None else " (default: %(default)s)"
    parser.add_argument(
        "--max-side",
        type=int,
        default=default,
        metavar="N",
        help=f"the longer side {of_what}{shown}",
    )


def _add_nifti(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--spacing",
        type=float,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="of a source pixel in mm (default: what a DICOM file says, else 1)",
    )
    parser.add_argument(
        "--with-frames", action="store_true", help="also write the source's frames, in grey"
    )


def _add_coco(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="share of heat that makes a region (default: %(default)s)",
    )
    parser.add_argument(
        "--of",
        choices=("peak", "mass"),
        default="peak",
        help="peak: at least this share of the map's peak in the video; mass: the smallest set of "
        "pixels with this share of the frame's heat (default: %(default)s)",
    )
    parser.add_argument(
        "--min-area",
        type=int,
        default=16,
        metavar="PIXELS",
        help="smaller regions are left out (default: %(default)s)",
    )
    parser.add_argument("--frames", action="store_true", help="also write the frames as JPEG")


def _add_fiftyone(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default="video_cam", help="of the dataset (default: %(default)s)")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a dataset of this name in the database"
    )
