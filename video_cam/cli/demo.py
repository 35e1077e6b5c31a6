"""``video-cam demo``: a drawn clip explained by the bundled network; needs no file, no download."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from video_cam.cli.program import program_name
from video_cam.errors import UsageError, first_line

NAME = "demo"
CLIP = "demo.mp4"
_ACTION = "dash right"


def demo_options(arguments: Sequence[str]) -> list[str]:
    """Write the clip of the demonstration.

    Args:
        arguments: words of the command line after "demo".

    Returns:
        The words of the command that explains the clip.

    Raises:
        UsageError: where the clip cannot be written.
        SystemExit: after ``--help``, and with status 2 for arguments that cannot be parsed.
    """
    parser = argparse.ArgumentParser(
        prog=f"{program_name()} {NAME}",
        description="Draw a clip in which a shape dashes to the right, and explain what the "
        "bundled network saw in it. Nothing is downloaded.",
        allow_abbrev=False,
    )
    parser.add_argument("--output-dir", default="outputs", metavar="DIR", help="default: outputs")
    parsed = parser.parse_args(arguments)
    from video_cam.models.example_clips import write_example

    clip = Path(parsed.output_dir) / CLIP
    try:
        clip.parent.mkdir(parents=True, exist_ok=True)
        write_example(clip, _ACTION)
    except OSError as error:
        raise UsageError(f"the clip cannot be written: {first_line(error)}") from error
    words = ["--clip", str(clip), "--model", "motion3d", "--output-dir", parsed.output_dir]
    return [*words, "--overwrite", *(["--show"] if _has_display() else [])]


def _has_display() -> bool:
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
