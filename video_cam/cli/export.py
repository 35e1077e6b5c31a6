"""``video-cam export DIR``: a span as GIF or MP4, or the whole page as one file, without a run."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from video_cam.cli.console import Console
from video_cam.cli.option_types import file_size
from video_cam.cli.program import program_name
from video_cam.cli.run_options import add_drawing_options
from video_cam.config import RenderConfig
from video_cam.errors import UsageError, first_line
from video_cam.rendering.result_folder import EXPLANATION_FILE, SUMMARY_FILE
from video_cam.rendering.size_limit import size_text
from video_cam.utils.names import printable_path

if TYPE_CHECKING:
    from video_cam.explanation.explanation import Explanation
    from video_cam.explanation.sampling import FrameSpan

NAME = "export"
GIF, MP4, HTML = "gif", "mp4", "html"
MAX_BYTES = 20 * 2**20  # of a GIF or page, if nothing else is asked for: what mail servers take
_DESCRIPTION = """\
Take something out of the results of a clip, without running the network: a span of the clip with
its map as GIF or MP4, or the whole page as one HTML file to send. The folder stays as it is."""
_OF_SPANS = ("start", "end", "frames", "class_id", "layer", "method", "clip")


def run_export(arguments: Sequence[str]) -> int:
    """Run the command.

    Args:
        arguments: words of the command line after "export".

    Returns:
        The exit status 0.

    Raises:
        UsageError: for a folder without results, a span or map that is not in them, or a file
            that is in the way.
        VideoCamError: where the clip cannot be read, or the file not be written.
        SystemExit: after ``--help``, and with status 2 for arguments that cannot be parsed.
    """
    parsed = _parser().parse_args(arguments)
    console = Console(quiet=parsed.quiet)
    folder = _folder_of_clip(parsed.folder)
    _check_combination(parsed)
    max_bytes = parsed.max_size or MAX_BYTES
    try:
        if parsed.format == HTML:
            path = _new_file(parsed, folder, _stem(folder.name))
            notes = _export_page(folder, path, max_bytes)
        else:
            path, notes = _export_span(parsed, folder, max_bytes, console)
    except OSError as error:
        raise UsageError(f"{parsed.folder!r} cannot be exported: {first_line(error)}") from error
    for note in notes:
        console.warning(note)
    console.info(f"wrote {printable_path(path)}, {size_text(path.stat().st_size)}")
    return 0


def _export_page(folder: Path, path: Path, max_bytes: int) -> list[str]:
    from video_cam.rendering.page.single_file import write_single_file

    notes: list[str] = []
    write_single_file(folder, path, max_bytes, notes.append)
    return notes


def _export_span(
    parsed: argparse.Namespace, folder: Path, max_bytes: int, console: Console
) -> tuple[Path, list[str]]:
    from video_cam.explanation.explanation import Explanation
    from video_cam.rendering.excerpt import Excerpt, choose_map, open_source

    explanation = Explanation.load(folder / EXPLANATION_FILE)
    series = choose_map(explanation, parsed.class_id, parsed.layer, parsed.method)
    span = _span(parsed, explanation)
    stem = _stem(Path(explanation.clip.path).stem)
    path = _new_file(parsed, folder, f"{stem}_{span.first:06d}-{span.stop - 1:06d}")
    config = _render_config(parsed)
    clip = open_source(explanation, _source(parsed, explanation))
    excerpt = Excerpt.of(clip, explanation, series, span, config)
    if parsed.format == MP4:
        return path, excerpt.write_mp4(path, console.progress)
    return path, excerpt.write_gif(path, max_bytes, console.progress)


def _render_config(parsed: argparse.Namespace) -> RenderConfig:
    names = [one.name for one in fields(RenderConfig) if one.name in parsed]
    return RenderConfig(**{name: getattr(parsed, name) for name in names})


def _span(parsed: argparse.Namespace, explanation: Explanation) -> FrameSpan:
    from video_cam.rendering.excerpt import frames_between, frames_of

    if parsed.frames is not None:
        return frames_of(explanation, *parsed.frames)
    return frames_between(explanation, parsed.start, parsed.end)


def _source(parsed: argparse.Namespace, explanation: Explanation) -> str:
    """Where the clip is."""
    if parsed.clip is not None:
        return str(parsed.clip)
    path = explanation.clip.path
    # Names of numbered frames, a_%d.png, are no files.
    if "%" not in path and not Path(path).exists():
        raise UsageError(
            f"the clip is not at {path!r} any more, seen from this folder: give --clip PATH"
        )
    return path


def _folder_of_clip(text: str) -> Path:
    """The folder of one clip's results."""
    if "://" in text:
        raise UsageError(
            f"{text!r} is an address, and {NAME} reads folders: copy the results to one, and give "
            "that"
        )
    folder = Path(text)
    if not folder.is_dir():
        raise UsageError(f"no such folder: {text!r}")
    if not (folder / SUMMARY_FILE).is_file():
        clips = [path.parent for path in sorted(folder.glob(f"*/{SUMMARY_FILE}"))]
        advice = f", as {str(clips[0])!r}" if clips else ""
        raise UsageError(
            f"{text!r} holds no results of one clip: give the folder in --output-dir that has the "
            f"clip's name{advice}"
        )
    return folder


def _check_combination(parsed: argparse.Namespace) -> None:
    if parsed.frames is not None and (parsed.start, parsed.end) != (None, None):
        raise UsageError("--frames and --from or --to both choose the span: give one of them")
    if parsed.format == MP4 and parsed.max_size is not None:
        raise UsageError("--max-size is of gif and html; an mp4 is as large as its pictures need")
    drawing = [one.name for one in fields(RenderConfig) if one.name in parsed]
    given = [
        name
        for name in (*_OF_SPANS, *drawing)
        if getattr(parsed, name) != getattr(RenderConfig, name, None)
    ]
    if parsed.format == HTML and given:
        option = {"start": "from", "end": "to"}.get(given[0], given[0]).replace("_", "-")
        raise UsageError(
            f"--{option} is of gif and mp4: the page has the whole clip, all maps and all views"
        )


def _new_file(parsed: argparse.Namespace, folder: Path, stem: str) -> Path:
    """Where the file is written; nothing is replaced unasked."""
    path = Path(parsed.output or f"{stem}.{parsed.format}")
    if path.suffix.lower() != f".{parsed.format}":
        raise UsageError(f"--output {str(path)!r} must end with .{parsed.format}")
    if not path.parent.is_dir():
        raise UsageError(f"--output {str(path)!r}: there is no folder {str(path.parent)!r}")
    if path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{str(path)!r} lies in the folder of results, of which every file is known: choose "
            "another --output"
        )
    if path.exists() and not (parsed.overwrite and path.is_file()):
        raise UsageError(f"{str(path)!r} exists: choose another --output, or add --overwrite")
    return path


def _stem(name: str) -> str:
    """A name for a file in any file system."""
    return re.sub(r"[^\w.-]+", "_", name).strip("_.-")[:100] or "clip"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{program_name()} {NAME}",
        description=_DESCRIPTION,
        epilog="Exit status: 0 done, 1 the clip cannot be read or the file not be written, 2 wrong "
        "arguments.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="DIR", help="the folder of one clip's results")
    parser.add_argument(
        "--format", choices=(GIF, MP4, HTML), required=True, help="html is the page in one file"
    )
    _add_span_options(parser.add_argument_group("the span and the map, for gif and mp4"))
    add_drawing_options(parser.add_argument_group("rendering, for gif and mp4"))
    _add_output_options(parser.add_argument_group("output"))
    return parser


def _add_span_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--from",
        dest="start",
        type=float,
        metavar="SECONDS",
        help="the first frame is the first one with a time stamp from here on (default: the first "
        "frame that was explained)",
    )
    group.add_argument(
        "--to",
        dest="end",
        type=float,
        metavar="SECONDS",
        help="the last frame is the last one with a time stamp before this (default: the last one)",
    )
    group.add_argument(
        "--frames",
        type=int,
        nargs=2,
        metavar=("FIRST", "LAST"),
        help="source frames instead of times, from 0; both are included",
    )
    group.add_argument("--class-id", metavar="ID|NAME", help="default: the first map's")
    group.add_argument("--layer", metavar="NAME", help="default: the first map's")
    group.add_argument("--method", metavar="NAME", help="default: the first map's")
    group.add_argument(
        "--clip", metavar="PATH", help="where the clip is now (default: where it was explained)"
    )


def _add_output_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--output", metavar="FILE", help="default: in this folder, with the clip's name and frames"
    )
    group.add_argument("--overwrite", action="store_true", help="replace an existing file")
    group.add_argument(
        "--max-size",
        type=file_size,
        metavar="SIZE",
        help=f"of a gif or html, as 800K or 20M: pictures are scaled down until it fits, which is "
        f"said, or it is refused (default: {MAX_BYTES // 2**20}M)",
    )
    group.add_argument("--quiet", action="store_true", help="print warnings and errors only")
