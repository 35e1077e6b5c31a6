"""Which clips the arguments of --clip mean, and the names of their result folders."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path

from video_cam.batch.clip_lists import is_list, read_list
from video_cam.errors import UsageError
from video_cam.video.images import IMAGE_SUFFIXES, is_frame_folder

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".wmv", ".flv", ".3gp", ".ogv", ".gif"),
)
# Files that a run writes beside the folders of its clips.
RESERVED = ("index.html", "results.jsonl")
LONGEST_NAME = 200  # bytes; file systems allow 255, and the clip's id may follow

Clips = dict[Path, tuple[str, ...]]  # path of a clip -> the classes that a list names for it


def find_clips(patterns: Sequence[str]) -> Clips:
    """The clips that are meant, each once, in the order in which they are found.

    Args:
        patterns: files, folders of numbered images (one clip each), folders of clips, lists of
            clips (.txt or .csv), and globs.

    Raises:
        UsageError: for a path that does not exist, a folder without clips, a glob without a match.
    """
    clips: Clips = {}
    for pattern in patterns:
        for clip, class_id in _expand(pattern):
            named = clips.setdefault(clip, ())
            if class_id is not None and class_id not in named:
                clips[clip] = (*named, class_id)
    return clips


def clip_id(clip: str | Path) -> str:
    """12 hexadecimal digits that identify a clip by its absolute path."""
    return hashlib.sha256(os.fsencode(Path(clip).resolve())).hexdigest()[:12]


def folder_names(
    clips: Sequence[Path], owner_of: Callable[[str], str | None] = lambda name: None
) -> list[str]:
    """A folder name for each clip: its stem, or its stem and its id.

    The id is added where several clips have this stem, where another clip's results are in the
    folder, and where the stem is reserved or not allowed as a folder name. A clip that has a
    folder keeps it, so the order of clips and runs does not matter.

    Args:
        owner_of: folder name -> id of the clip whose results are in it, or None.
    """
    plain = [plain_name(clip) for clip in clips]
    num_clips = Counter(name.casefold() for name in plain)
    names = []
    for clip, name in zip(clips, plain, strict=True):
        own_id, own_name = clip_id(clip), long_name(clip)
        owner = owner_of(name)
        is_free = owner is None and num_clips[name.casefold()] == 1
        is_allowed = name == _stem(clip) and name.casefold() not in RESERVED
        # owner_of reads a file, so it is asked a second time only where it decides.
        takes_stem = owner == own_id or (is_allowed and is_free and owner_of(own_name) != own_id)
        names.append(name if takes_stem and is_allowed else own_name)
    return names


def plain_name(clip: Path) -> str:
    """The folder name that a clip shares with others of its stem."""
    return _allowed_name(_stem(clip))


def long_name(clip: Path) -> str:
    """The folder name with the clip's id, which no other clip has."""
    return f"{plain_name(clip)}-{clip_id(clip)}"


def _stem(clip: Path) -> str:
    stem = clip.resolve().name if clip.is_dir() else clip.stem
    if not stem.strip("."):  # such as "..", which means the parent folder
        return clip.name.replace(".", "_") or "clip"
    return stem


def _allowed_name(stem: str) -> str:
    """The nearest name that file systems, pages and terminals allow: printable, not hidden."""
    name = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in stem)
    name = "_" + name[1:] if name.startswith(".") else name
    return name.encode()[:LONGEST_NAME].decode(errors="ignore").rstrip(". ") or "clip"


def _expand(pattern: str) -> Iterator[tuple[Path, str | None]]:
    path = Path(pattern)
    if is_list(path):
        for entry, class_id in read_list(path):
            # A missing clip does not make its list wrong: it fails alone, the others are processed.
            is_missing = not (Path(entry).exists() or has_magic(entry))
            clips = [Path(entry)] if is_missing else _clips_at(entry)
            yield from ((clip, class_id) for clip in clips)
        return
    yield from ((clip, None) for clip in _clips_at(pattern))


def _clips_at(pattern: str) -> Iterator[Path]:
    path = Path(pattern)
    if path.is_dir():
        one_clip = is_frame_folder(path) and not _with_suffix(path, VIDEO_SUFFIXES)
        yield from [path] if one_clip else _clips_in(path)
    elif path.exists():
        yield path
    else:
        matches = sorted(glob(pattern, recursive=True))  # noqa: PTH207 - patterns may be absolute
        if not matches:
            raise UsageError(f"no such clip: {pattern!r}{_similar_names(path)}")
        for match in matches:
            yield from _clips_at(match)


def _similar_names(path: Path) -> str:
    """The rest of a message: files beside the missing ``path`` with similar names."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:  # no such folder, or one that may not be read
        return ""
    similar = [str(path.with_name(n)) for n in difflib.get_close_matches(path.name, names)]
    return f": did you mean {' or '.join(similar)}?" if similar else ""


def _clips_in(folder: Path) -> list[Path]:
    clips = _with_suffix(folder, (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES))
    if not clips:
        raise UsageError(f"folder {str(folder)!r} holds no clips: expected videos or images")
    return clips


def _with_suffix(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    return sorted(
        entry for entry in folder.iterdir() if entry.is_file() and entry.suffix.lower() in suffixes
    )
