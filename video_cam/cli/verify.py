"""``video-cam verify DIR``: whether results are as they were written."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from video_cam.cli.console import Console
from video_cam.cli.program import program_name
from video_cam.errors import UsageError
from video_cam.utils.names import printable_path

NAME = "verify"
_DESCRIPTION = """\
Read all results below a folder, compare them with the sizes and SHA-256 digests that were written
with them, and load each explanation. One line for each file that is damaged, missing, or not of
video_cam. Nothing is changed. Files that a run is writing at the same time may be named, too."""


def run_verify(arguments: Sequence[str]) -> int:
    """Run the command.

    Args:
        arguments: words of the command line after "verify".

    Returns:
        The exit status: 0 all files are as they were written, 1 some are not.

    Raises:
        UsageError: for a folder without results.
        SystemExit: after ``--help``, and with status 2 for arguments that cannot be parsed.
    """
    parsed = _parser().parse_args(arguments)
    console = Console(quiet=parsed.quiet, as_json=False)
    if "://" in parsed.folder:
        raise UsageError(
            f"{parsed.folder!r} is an address, and verify reads folders: copy the results to one, "
            "and give that"
        )
    from video_cam.batch.verify import Counts, verify

    counts, num_faults = Counts(), 0
    try:
        for fault in verify(Path(parsed.folder), counts):
            num_faults += 1
            console.error(f"{printable_path(fault.path)}: {fault.problem}")
    except OSError as error:
        raise UsageError(f"{parsed.folder!r} cannot be read: {error.strerror}") from error
    read = f"{_number(counts.clips, 'clip')}, {_number(counts.files, 'file')}"
    if num_faults:
        console.error(f"{read}: {_number(num_faults, 'fault')}")
        return 1
    console.info(f"{read}: all are as they were written")
    return 0


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{program_name()} {NAME}",
        description=_DESCRIPTION,
        epilog="Exit status: 0 all files are as they were written, 1 some are not, "
        "2 wrong arguments.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "folder", metavar="DIR", help="the --output-dir of a run, or the folder of one clip in it"
    )
    parser.add_argument("--quiet", action="store_true", help="print faults only")
    return parser
