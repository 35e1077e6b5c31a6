"""Finished results, read back from the folder of a clip or of a run; no network is run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from video_cam.batch.result_folders import result_folders
from video_cam.errors import ClipError, UsageError
from video_cam.explanation.explanation import Explanation
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.result_folder import EXPLANATION_FILE, SUMMARY_FILE
from video_cam.rendering.source_clip import as_explained, check_clip
from video_cam.rendering.summary_file import MAX_BYTES, parse_summary
from video_cam.utils.files import StrPath, read_regular
from video_cam.utils.names import printable_path
from video_cam.video.clip import Clip


@dataclass(frozen=True)
class Result:
    """The finished results of one clip. Files are read when they are first asked for.

    Attributes:
        name: of its folder; in a run from the run's folder, with /.
        folder: where the results are.
        map_indices: which maps are exported; empty for all.
    """

    name: str
    folder: Path
    map_indices: tuple[int, ...] = ()

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The content of summary.json."""
        path = self.folder / SUMMARY_FILE
        try:
            return parse_summary(read_regular(path, MAX_BYTES))
        except (OSError, ValueError) as error:
            raise UsageError(f"{printable_path(path)}: cannot be used ({error})") from error

    @cached_property
    def maps(self) -> BlendedMaps:
        """The maps at every frame."""
        return BlendedMaps(self.explanation)

    @cached_property
    def explanation(self) -> Explanation:
        """The explanation that was drawn."""
        return Explanation.load(self.folder / EXPLANATION_FILE)

    @cached_property
    def clip(self) -> Clip:
        """The clip where it was when it was explained, checked to be the same one."""
        info = self.explanation.clip
        try:
            opened = Clip.open(info.path, video_stream=info.video_stream)
        except ClipError as error:
            raise ClipError(
                f"{error}: the clip is read where it was when it was explained, by a relative path "
                "from the folder in which the command ran"
            ) from error
        check_clip(opened, self.explanation)
        return as_explained(opened, self.explanation)

    @property
    def chosen_maps(self) -> Sequence[int]:
        """The indices of the maps that are exported."""
        number = len(self.explanation.maps)
        wrong = [index for index in self.map_indices if not 0 <= index < number]
        if wrong:
            raise UsageError(
                f"there is no map {wrong[0]}: the results have {number}, counted from 0"
            )
        return self.map_indices or range(number)

    @property
    def truth(self) -> str | None:
        """The true class, as the network calls it or else as it was given; None if unknown."""
        truth = self.summary.get("truth") or {}
        return truth.get("label") or truth.get("name")


def find_results(folder: StrPath, map_indices: Sequence[int] = ()) -> list[Result]:
    """The finished results below a folder, by name.

    Args:
        folder: of one clip, or the output folder of a run.
        map_indices: as in ``Result``.

    Raises:
        UsageError: where there are none.
    """
    if "://" in os.fspath(folder):
        raise UsageError(
            f"{os.fspath(folder)!r} is an address, and results are exported from folders: copy "
            "them to one, and give that"
        )
    root, indices = Path(folder), tuple(map_indices)
    if not root.is_dir():
        raise UsageError(f"no such folder: {str(root)!r}")
    if (root / SUMMARY_FILE).exists():
        return [Result(root.resolve().name, root, indices)]
    try:
        names = sorted(result_folders(root))
    except OSError as error:
        raise UsageError(f"{str(root)!r} cannot be read: {error.strerror}") from error
    if not names:
        raise UsageError(
            f"{str(root)!r} holds no results of video_cam: give the --output-dir of a run, or the "
            "folder of one clip in it"
        )
    return [Result(name, root / name, indices) for name in names]
