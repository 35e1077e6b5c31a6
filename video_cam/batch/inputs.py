"""From what the user wrote after --clip to clips, and to the names of their result folders."""

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
# What a run writes beside the folders of its clips.
RESERVED = ("index.html", "results.jsonl")
LONGEST_NAME = 200  # bytes; file systems take 255, and a digest may follow

Clips = dict[Path, tuple[str, ...]]  # a clip and the classes that a list names for it


def find_clips(patterns: Sequence[str]) -> Clips:
    """Files, frame folders, the clips in other folders, in lists, and what globs match; each once.

    Raises UsageError for a path that does not exist, an empty folder, a glob without a match.
    """
    clips: Clips = {}
    for pattern in patterns:
        for clip, class_id in _expand(pattern):
            named = clips.setdefault(clip, ())
            if class_id is not None and class_id not in named:
                clips[clip] = (*named, class_id)
    return clips


def clip_id(clip: str | Path) -> str:
    """The same for the same place on disk, another for every other: 12 hexadecimal digits."""
    return hashlib.sha256(os.fsencode(Path(clip).resolve())).hexdigest()[:12]


def folder_names(
    clips: Sequence[Path], owner_of: Callable[[str], str | None] = lambda name: None
) -> list[str]:
    """A folder's name for each clip: its stem, or the stem and the clip's id.

    The id is added where the stem is shared, reserved or no good name for a folder, and where
    ``owner_of`` (a name -> the id of the clip whose results are there) says that it is taken. A
    clip keeps the folder that it has, so the order of clips and runs changes nothing that is there.
    """
    plain = [_clean(_stem(clip)) for clip in clips]
    shared = Counter(name.casefold() for name in plain)
    names = []
    for clip, name in zip(clips, plain, strict=True):
        own, long_name = clip_id(clip), f"{name}-{clip_id(clip)}"
        owner = owner_of(name)
        is_free = owner is None and shared[name.casefold()] == 1
        is_good = name == _stem(clip) and name.casefold() not in RESERVED
        # A second look at the disk only where it matters.
        keeps_plain = owner == own or (is_good and is_free and owner_of(long_name) != own)
        names.append(name if keeps_plain and is_good else long_name)
    return names


def _stem(clip: Path) -> str:
    stem = clip.resolve().name if clip.is_dir() else clip.stem
    if not stem.strip("."):  # "..", which is a folder's name for its parent, and the like
        return clip.name.replace(".", "_") or "clip"
    return stem


def _clean(stem: str) -> str:
    """A name that every file system, page and terminal takes: printable, visible, not too long."""
    name = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in stem)
    name = "_" + name[1:] if name.startswith(".") else name
    return name.encode()[:LONGEST_NAME].decode(errors="ignore").rstrip(". ") or "clip"


def _expand(pattern: str) -> Iterator[tuple[Path, str | None]]:
    path = Path(pattern)
    if is_list(path):
        for entry, class_id in read_list(path):
            # A list is not refused for a clip that has gone: that clip fails, and the rest go on.
            is_gone = not (Path(entry).exists() or has_magic(entry))
            clips = [Path(entry)] if is_gone else _clips_at(entry)
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
            raise UsageError(f"no such clip: {pattern!r}{_near(path)}")
        for match in matches:
            yield from _clips_at(match)


def _near(path: Path) -> str:
    """What is there under a name like the one that is not."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:  # no such folder, or not ours to look into
        return ""
    near = [str(path.with_name(n)) for n in difflib.get_close_matches(path.name, names)]
    return f": did you mean {' or '.join(near)}?" if near else ""


def _clips_in(folder: Path) -> list[Path]:
    clips = _with_suffix(folder, (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES))
    if not clips:
        raise UsageError(f"folder {str(folder)!r} holds no clips: expected videos or images")
    return clips


def _with_suffix(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    return sorted(
        entry for entry in folder.iterdir() if entry.is_file() and entry.suffix.lower() in suffixes
    )
