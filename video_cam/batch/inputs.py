"""Which clips the arguments of --clip mean, and the names of their result folders."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from video_cam.batch.clip_lists import is_list, read_list
from video_cam.batch.clip_paths import clips_at, kind_of
from video_cam.errors import UsageError
from video_cam.video.addresses import advice_for
from video_cam.video.image_sequences import sequence_name

# Files that a run writes beside the folders of its clips.
RESERVED = ("index.html", "results.jsonl")
LONGEST_NAME = 200  # bytes; file systems allow 255, and the clip's id may follow
_NOT_ALLOWED = re.compile(r'[/\\:*?"<>|]')

Clips = dict[Path, tuple[str, ...]]  # path of a clip -> the classes that a list names for it


def find_clips(patterns: Sequence[str]) -> Clips:
    """The clips that are meant, each once, in the order in which they are found.

    Args:
        patterns: files, folders of numbered images (one clip each), folders of clips, lists of
            clips (.txt or .csv), and globs. What a list names, a folder holds or a glob matches and
            cannot be used is returned as a clip: it fails alone, the others are processed.

    Raises:
        UsageError: for a path that does not exist or cannot be read, a folder without clips, a glob
            without a match.
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
    return _digest(_real_path(Path(clip)))


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
    real_folder = cache(os.path.realpath)  # most clips of a run are in few folders
    paths = [_real_path(clip, real_folder) for clip in clips]
    stems = [_stem(clip, path) for clip, path in zip(clips, paths, strict=True)]
    plain = [_allowed_name(stem) for stem in stems]
    num_clips = Counter(name.casefold() for name in plain)
    names = []
    for path, stem, name in zip(paths, stems, plain, strict=True):
        own_id = _digest(path)
        own_name = _with_id(name, own_id)
        owner = owner_of(name)
        is_free = owner is None and num_clips[name.casefold()] == 1
        is_allowed = name == stem and name.casefold() not in RESERVED
        # owner_of reads a file, so it is asked a second time only where it decides.
        takes_stem = owner == own_id or (is_allowed and is_free and owner_of(own_name) != own_id)
        names.append(name if takes_stem and is_allowed else own_name)
    return names


def plain_name(clip: Path) -> str:
    """The folder name that a clip shares with others of its stem."""
    return _allowed_name(_stem(clip, _real_path(clip)))


def long_name(clip: Path) -> str:
    """The folder name with the clip's id, which no other clip has."""
    return _with_id(plain_name(clip), clip_id(clip))


def _with_id(name: str, own_id: str) -> str:
    return f"{name}-{own_id}"


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _real_path(clip: Path, real_folder: Callable[[Path], str] = os.path.realpath) -> Path:
    """The absolute path without links; unlike Path.resolve it never raises.

    Args:
        real_folder: os.path.realpath, or the same function with a memory.
    """
    try:
        if clip.name in ("", ".."):
            return Path(os.path.realpath(clip))
        path = Path(real_folder(clip.parent)) / clip.name
        return Path(os.path.realpath(path)) if kind_of(path) == stat.S_IFLNK else path
    except ValueError:  # a folder whose name holds a NUL byte, which no folder has
        return clip


def _stem(clip: Path, path: Path) -> str:
    """The name of a folder, or of a file without its suffix; ``path`` is the clip's real path.

    Of a sequence of images, it is what their names have in common.
    """
    if name := sequence_name(clip):
        return name
    stem = path.name if kind_of(path) == stat.S_IFDIR else clip.stem
    if not stem.strip("."):  # such as "..", which means the parent folder
        return clip.name.replace(".", "_") or "clip"
    return stem


def _allowed_name(stem: str) -> str:
    """The nearest name that file systems, pages and terminals allow: printable, not hidden."""
    name = _NOT_ALLOWED.sub("_", stem)
    if not name.isprintable():
        name = "".join(c if c.isprintable() else "_" for c in name)
    name = "_" + name[1:] if name.startswith(".") else name
    return name.encode()[:LONGEST_NAME].decode(errors="ignore").rstrip(". ") or "clip"


def _expand(pattern: str) -> Iterator[tuple[Path, str | None]]:
    path = Path(pattern)
    if is_list(path):
        for entry, class_id in read_list(path):
            yield from ((clip, class_id) for clip in _clips_of_entry(entry))
        return
    clips = clips_at(pattern)
    if not clips and (advice := advice_for(pattern)):
        raise UsageError(f"{pattern!r} {advice}")
    if not clips:
        raise UsageError(f"no such clip: {pattern!r}{_similar_names(path)}")
    yield from ((clip, None) for clip in clips)


def _clips_of_entry(entry: str) -> list[Path]:
    """The clips of a line of a list.

    A line that names none does not make its list wrong: it is itself the clip, which fails alone
    while the others are processed.
    """
    with suppress(UsageError):
        return clips_at(entry) or [Path(entry)]
    return [Path(entry)]


def _similar_names(path: Path) -> str:
    """The rest of a message: files beside the missing ``path`` with similar names."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:  # no such folder, or one that may not be read
        return ""
    similar = [str(path.with_name(n)) for n in difflib.get_close_matches(path.name, names)]
    return f": did you mean {' or '.join(similar)}?" if similar else ""
