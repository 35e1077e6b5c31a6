"""``video-cam export gif|mp4|html DIR``: one file from the results of a clip, without a run."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from video_cam.cli.console import Console
from video_cam.cli.option_types import file_size, seconds, some_path
from video_cam.cli.run_options import add_drawing_options
from video_cam.config import RenderConfig
from video_cam.errors import UsageError, first_line
from video_cam.rendering.result_folder import EXPLANATION_FILE, SUMMARY_FILE
from video_cam.rendering.size_limit import size_text
from video_cam.utils.files import make_folder
from video_cam.utils.names import printable_path

if TYPE_CHECKING:
    from video_cam.explanation.explanation import Explanation
    from video_cam.explanation.sampling import FrameSpan

GIF, MP4, HTML = "gif", "mp4", "html"
FILE_FORMATS = {
    GIF: "a span of a clip with its map, as an animation",
    MP4: "a span of a clip with its map, as a video with sound",
    HTML: "the page of a clip as one file, to send it",
}
FOLDER = "exports"
MAX_BYTES = 20 * 2**20  # of a GIF or page, if nothing else is asked for: what mail servers take


def export_file(kind: str, parsed: argparse.Namespace, console: Console) -> None:
    """Write the file.

    Args:
        kind: a key of FILE_FORMATS.
        parsed: what ``add_file_options`` takes.
        console: is told where the file is, and what was reduced.

    Raises:
        UsageError: for a folder without results, a span or map that is not in them, or a file
            that is in the way.
        VideoCamError: where the clip cannot be read, or the file not be written.
    """
    folder = _folder_of_clip(parsed.results)
    try:
        if kind == HTML:
            path = _new_file(parsed, folder, f"{_stem(folder.name)}.{HTML}")
            notes = _export_page(folder, path, parsed.max_size)
        else:
            path, notes = _export_span(kind, parsed, folder, console)
    except OSError as error:
        raise UsageError(f"{parsed.results!r} cannot be exported: {first_line(error)}") from error
    for note in notes:
        console.warning(note)
    console.info(f"wrote {printable_path(path)}, {size_text(path.stat().st_size)}")


def add_file_options(parser: argparse.ArgumentParser, kind: str) -> None:
    """The options of one format, besides those of every export."""
    if kind != HTML:
        _add_span_options(parser.add_argument_group("the span and the map"))
        add_drawing_options(parser.add_argument_group("rendering"))
    group = parser.add_argument_group("the file")
    group.add_argument(
        "--output",
        type=some_path,
        metavar="FILE",
        help=f"default: in {FOLDER}/, with the clip's name{'' if kind == HTML else ' and frames'}",
    )
    group.add_argument("--overwrite", action="store_true", help="replace an existing file")
    if kind != MP4:
        group.add_argument(
            "--max-size",
            type=file_size,
            default=MAX_BYTES,
            metavar="SIZE",
            help="as 800K or 20M: the pictures are scaled down until the file is that small, which "
            f"is said, or it is refused (default: {MAX_BYTES // 2**20}M)",
        )


def _export_page(folder: Path, path: Path, max_bytes: int) -> list[str]:
    from video_cam.rendering.page.single_file import write_single_file

    notes: list[str] = []
    write_single_file(folder, path, max_bytes, notes.append)
    return notes


def _export_span(
    kind: str, parsed: argparse.Namespace, folder: Path, console: Console
) -> tuple[Path, list[str]]:
    from video_cam.explanation.explanation import Explanation
    from video_cam.rendering.excerpt import Excerpt, map_number, open_source

    explanation = Explanation.load(folder / EXPLANATION_FILE)
    series, span = map_number(explanation, parsed.map), _span(parsed, explanation)
    stem = _stem(Path(explanation.clip.path).stem)
    path = _new_file(parsed, folder, f"{stem}_{span.first:06d}-{span.stop - 1:06d}.{kind}")
    config = _render_config(parsed)
    clip = open_source(explanation, _source(parsed, explanation))
    excerpt = Excerpt.of(clip, explanation, series, span, config)
    if kind == MP4:
        return path, excerpt.write_mp4(path, console.progress)
    return path, excerpt.write_gif(path, parsed.max_size, console.progress)


def _render_config(parsed: argparse.Namespace) -> RenderConfig:
    names = [one.name for one in fields(RenderConfig) if one.name in parsed]
    return RenderConfig(**{name: getattr(parsed, name) for name in names})


def _span(parsed: argparse.Namespace, explanation: Explanation) -> FrameSpan:
    from video_cam.rendering.excerpt import frames_between, frames_of

    if parsed.frames is not None and (parsed.start, parsed.end) != (None, None):
        raise UsageError("--frames and --from or --to both choose the span: give one of them")
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
            f"{text!r} is an address, and export reads folders: copy the results to one, and give "
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


def _new_file(parsed: argparse.Namespace, folder: Path, name: str) -> Path:
    """Where the file is written; nothing is replaced unasked."""
    path = Path(FOLDER, name) if parsed.output is None else Path(parsed.output)
    suffix = Path(name).suffix
    if path.suffix.lower() != suffix:
        raise UsageError(f"--output {str(path)!r} must end with {suffix}")
    if path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{str(path)!r} lies in the folder of results, of which every file is known: choose "
            "another --output"
        )
    if path.exists() and not (parsed.overwrite and path.is_file()):
        raise UsageError(f"{str(path)!r} exists: choose another --output, or add --overwrite")
    make_folder(path.parent)
    return path


def _stem(name: str) -> str:
    """A name for a file in any file system."""
    return re.sub(r"[^\w.-]+", "_", name).strip("_.-")[:100] or "clip"


def _add_span_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--from",
        dest="start",
        type=seconds,
        metavar="SECONDS",
        help="the first frame is the first one with a time stamp from here on (default: the first "
        "frame that was explained)",
    )
    group.add_argument(
        "--to",
        dest="end",
        type=seconds,
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
    group.add_argument(
        "--map",
        type=int,
        default=0,
        metavar="N",
        help="which map, in the order of summary.json, counted from 0 (default: %(default)s)",
    )
    group.add_argument(
        "--clip", metavar="PATH", help="where the clip is now (default: where it was explained)"
    )
