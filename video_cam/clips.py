"""From what the user wrote after --clip to clips and their result folders."""

from __future__ import annotations

from collections.abc import Sequence
from glob import glob
from pathlib import Path

from video_cam.errors import UsageError
from video_cam.video import IMAGE_SUFFIXES, is_frame_folder

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".wmv", ".flv", ".3gp", ".ogv", ".gif"),
)


def find_clips(patterns: Sequence[str]) -> list[Path]:
    """Files, frame folders, the clips in other folders, and what globs match; each once.

    Raises UsageError for a path that does not exist, an empty folder, a glob without a match.
    """
    clips = [clip for pattern in patterns for clip in _expand(pattern)]
    return list(dict.fromkeys(clips))


def output_folders(clips: Sequence[Path], output_dir: str | Path) -> list[Path]:
    """<output_dir>/<stem> for each clip; clips that share a stem get a number behind it."""
    folders: list[Path] = []
    for clip in clips:
        stem = clip.resolve().name if clip.is_dir() else clip.stem
        if not stem.strip("."):  # "..", which is a folder's name for its parent, and the like
            stem = clip.name.replace(".", "_") or "clip"
        folder, number = Path(output_dir) / stem, 2
        while folder in folders:
            folder, number = Path(output_dir) / f"{stem}-{number}", number + 1
        folders.append(folder)
    return folders


def _expand(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_dir():
        one_clip = is_frame_folder(path) and not _with_suffix(path, VIDEO_SUFFIXES)
        return [path] if one_clip else _clips_in(path)
    if path.exists():
        return [path]
    matches = [Path(match) for match in sorted(glob(pattern, recursive=True))]  # noqa: PTH207 - patterns may be absolute
    if not matches:
        raise UsageError(f"no such clip: {pattern!r}")
    return [clip for match in matches for clip in _expand(str(match))]


def _clips_in(folder: Path) -> list[Path]:
    clips = _with_suffix(folder, (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES))
    if not clips:
        raise UsageError(f"folder {str(folder)!r} holds no clips: expected videos or images")
    return clips


def _with_suffix(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    return sorted(
        entry for entry in folder.iterdir() if entry.is_file() and entry.suffix.lower() in suffixes
    )
