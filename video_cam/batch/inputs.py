"""Which clips the arguments of --clip mean, and the names of their result folders."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath

from video_cam.batch.clip_lists import is_list, read_list
from video_cam.batch.clip_paths import clips_at, clips_below, kind_of
from video_cam.errors import UsageError
from video_cam.rendering.result_folder import INDEX_DATA
from video_cam.video.addresses import advice_for
from video_cam.video.image_sequences import sequence_name

# What a run writes beside the folders of its clips.
RESERVED = ("index.html", INDEX_DATA, "results.jsonl", "results.csv")
LONGEST_NAME = 200  # bytes; file systems allow 255, and the clip's id may follow
_NOT_ALLOWED = re.compile(r'[/\\:*?"<>|]')

Clips = dict[Path, tuple[str, ...]]  # path of a clip -> the classes that a list names for it


def find_clips(patterns: Sequence[str], *, recursive: bool = False) -> Clips:
    """The clips that are meant, each once, in the order in which they are found.

    Args:
        patterns: files, folders of numbered images (one clip each), folders of clips, lists of
            clips (.txt or .csv), and globs. What a list names, a folder holds or a glob matches and
            cannot be used is returned as a clip: it fails alone, the others are processed.
        recursive: also the clips in all folders below those that are given.

    Raises:
        UsageError: for a path that does not exist or cannot be read, a folder without clips, a glob
            without a match.
    """
    clips: Clips = {}
    for pattern in patterns:
        for clip, class_id in _expand(pattern, recursive):
            named = clips.setdefault(clip, ())
            if class_id is not None and class_id not in named:
                clips[clip] = (*named, class_id)
    return clips


def relative_names(patterns: Sequence[str], clips: Sequence[Path]) -> dict[Path, str]:
    """The path of each clip from the folder that was given, with / between its parts.

    Clips that are in none of these folders, or directly in one, are left out.
    """
    folders = [Path(pattern) for pattern in patterns if Path(pattern).is_dir()]
    names = {}
    for clip in clips:
        above = next((folder for folder in folders if folder in clip.parents), None)
        if above is not None and clip.parent != above:
            names[clip] = clip.relative_to(above).as_posix()
    return names


def clip_id(clip: str | Path) -> str:
    """12 hexadecimal digits that identify a clip by its absolute path."""
    return _digest(_real_path(Path(clip)))


def folder_names(
    clips: Sequence[Path],
    owner_of: Callable[[str], str | None] = lambda name: None,
    relative: Mapping[Path, str] | None = None,
) -> list[str]:
    """A folder name for each clip: its stem, or its stem and its id.

    The name of a clip with a relative path has the folders of this path before its stem.

    The id is added where several clips have this stem, where another clip's results are in the
    folder, and where the stem is reserved or not allowed as a folder name. A clip that has a
    folder keeps it, so the order of clips and runs does not matter.

    Args:
        owner_of: folder name -> id of the clip whose results are in it, or None.
        relative: as ``relative_names`` returns it.
    """
    real_folder = cache(os.path.realpath)  # most clips of a run are in few folders
    paths = [_real_path(clip, real_folder) for clip in clips]
    stems = [_stem(clip, path) for clip, path in zip(clips, paths, strict=True)]
    above = [PurePosixPath((relative or {}).get(clip, "")).parent.parts for clip in clips]
    wanted = ["/".join((*parts, stem)) for parts, stem in zip(above, stems, strict=True)]
    plain = [
        "/".join(map(_allowed_name, (*parts, stem)))
        for parts, stem in zip(above, stems, strict=True)
    ]
    num_clips = Counter(name.casefold() for name in plain)
    taken = {folder.casefold() for name in plain for folder in _folders_above(name)}
    owner_of = cache(owner_of)
    names = []
    for path, stem, name, want in zip(paths, stems, plain, wanted, strict=True):
        own_id = _digest(path)
        own_name = _with_id(_allowed_name(stem), own_id)
        owner = owner_of(name)
        is_free = owner is None and num_clips[name.casefold()] == 1
        is_free &= name.casefold() not in taken and not any(map(owner_of, _folders_above(name)))
        is_allowed = name == want and not set(name.casefold().split("/")) & set(RESERVED)
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


def top_folder(name: str) -> str:
    """The first part of a folder's name, which may lie in others: a/b/c -> a."""
    return name.partition("/")[0]


def _folders_above(name: str) -> list[str]:
    """a/b/c -> a, a/b"""
    parts = name.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


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


def _expand(pattern: str, recursive: bool) -> Iterator[tuple[Path, str | None]]:
    path = Path(pattern)
    if recursive and path.is_dir():
        yield from ((clip, None) for clip in clips_below(path))
        return
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
