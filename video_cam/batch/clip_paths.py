"""The clips that one path or glob pattern means: a file, a folder of frames, a folder of clips."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from glob import escape, glob
from pathlib import Path

from video_cam.errors import UsageError
from video_cam.video.image_sequences import sequence_images
from video_cam.video.images import IMAGE_SUFFIXES, is_frame_folder
from video_cam.video.picture_files import image_clips
from video_cam.video.recognition import is_clip_file

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".wmv", ".flv", ".3gp", ".ogv", ".gif", ".mxf", ".vob", ".nut", ".y4m", ".dv", ".h264"),
)
# Files that stand beside clips and are not opened to see whether they are some.
OTHER_SUFFIXES = (
    *(".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".md", ".html", ".log"),
    *(".srt", ".vtt", ".ass", ".pdf", ".py", ".ipynb", ".sh", ".toml", ".ini", ".cfg", ".mat"),
    *(".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".npz", ".pkl", ".pickle", ".h5"),
    *(".hdf5", ".parquet", ".arrow", ".tfrecord", ".zip", ".gz", ".tar", ".tgz", ".bz2", ".xz"),
    *(".7z", ".rar", ".wav", ".mp3", ".m4a", ".aac", ".flac", ".opus"),
)
EVERY_FOLDER = "**"  # in a pattern: folders below, at any depth


def clips_at(pattern: str) -> list[Path]:
    """The clips that a path or a pattern means, in the order of their names.

    A path that exists is itself meant, whatever is in its name: tools that download videos write
    names such as ``title [id].mp4``. The same holds for the first folders of a pattern.

    Returns:
        Clips; what a pattern matches and cannot be used is among them, and fails alone. Empty where
        nothing has this name and nothing matches.

    Raises:
        UsageError: where the path itself is a broken link, or a folder without clips.
    """
    path = Path(pattern)
    kind = kind_of(path)
    if kind == stat.S_IFREG:  # as most are
        return [path]
    if kind:
        return clips_of(path)
    if sequence_images(path):
        return [path]
    clips: list[Path] = []
    for match in _matches(path):
        try:
            clips += clips_of(match)
        except UsageError:
            clips.append(match)
    return clips


def clips_of(path: Path) -> list[Path]:
    """The clips of an existing path: itself, or the videos and images in a folder.

    Raises:
        UsageError: for a link that leads nowhere, and a folder that cannot be read or holds no
            clips.
    """
    try:
        if not path.is_dir():
            path.stat()
            return [path]
        clips, images = _clips_in(path)
        if not clips and is_frame_folder(path):
            return sorted(image_clips(path))
        clips = sorted([*clips, *images])
    except PermissionError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except OSError as error:
        raise UsageError(
            f"{str(path)!r} is a link that leads nowhere: restore the file that it names"
        ) from error
    if not clips:
        expected = f"folder {str(path)!r} holds no clips: expected videos or images"
        if any(one.is_dir() and one.name[0] != "." for one in path.iterdir()):
            pattern = str(path / "**" / "*.mp4")
            expected += f"; those in its folders are found with a pattern such as {pattern!r}"
        raise UsageError(expected)
    return clips


def clips_below(folder: Path) -> list[Path]:
    """The clips in a folder and in all folders below it, in the order of their paths.

    A folder of numbered images is one clip. Hidden folders are left out, links to folders are not
    followed.

    Raises:
        UsageError: where there are none.
    """
    clips: list[Path] = []
    for name, folders, _ in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        with suppress(UsageError):  # a folder that holds folders only
            clips += clips_of(Path(name))
    if not clips:
        raise UsageError(f"no folder in {str(folder)!r} holds clips: expected videos or images")
    return sorted(clips)


def kind_of(path: Path) -> int:
    """What has this name, such as stat.S_IFDIR or S_IFLNK; 0 for nothing, and for no possible name.

    Unlike the methods of Path it never raises, and links are not followed.
    """
    try:
        return stat.S_IFMT(path.lstat().st_mode)
    except (OSError, ValueError):  # such as a name that is too long, or holds a NUL byte
        return 0


def _matches(path: Path) -> list[Path]:
    """What a pattern matches; with **, which follows links, the shortest path of each file."""
    matches = sorted(glob(_without_literal_folders(path), recursive=True))  # noqa: PTH207 - patterns may be absolute
    if EVERY_FOLDER not in path.parts:
        return [Path(match) for match in matches]
    shortest: dict[str, str] = {}
    for match in sorted(matches, key=lambda match: match.count(os.sep)):
        shortest.setdefault(os.path.realpath(match), match)
    return [Path(match) for match in sorted(shortest.values())]


def _without_literal_folders(path: Path) -> str:
    """The pattern with the first folders that exist under their literal names escaped."""
    literal = Path(path.anchor)
    for number, part in enumerate(path.parts):
        if not kind_of(literal / part):
            return str(Path(escape(str(literal)), *path.parts[number:]))
        literal /= part
    return escape(str(literal))


def _clips_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """The videos and the images in a folder; links that lead nowhere are among them.

    The name tells as a rule. Where its suffix is unknown, the first bytes of the file do.
    """
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if _is_file(entry)]
    by_suffix = [(name, _suffix(name)) for name in names]
    images = [folder / name for name, suffix in by_suffix if suffix in IMAGE_SUFFIXES]
    clips = [
        folder / name
        for name, suffix in by_suffix
        if suffix in VIDEO_SUFFIXES or (_may_be_clip(name, suffix) and is_clip_file(folder / name))
    ]
    return clips, images


def _may_be_clip(name: str, suffix: str) -> bool:
    """Whether a file without the suffix of a video is opened to see what it is."""
    return not name.startswith(".") and suffix not in (*IMAGE_SUFFIXES, *OTHER_SUFFIXES)


def _suffix(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return (dot + suffix).lower() if stem else ""


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file() or (entry.is_symlink() and not entry.is_dir())
    except OSError:  # such as a link to itself
        return True
