"""What loggers of experiments get of a clip: names, scores and files, the same for each of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from video_cam.explanation.explanation import Explanation
from video_cam.export.results import Result, find_results
from video_cam.rendering.explained_targets import series_of_targets
from video_cam.rendering.frame_choice import frames_to_look_at
from video_cam.rendering.keyframes import keyframe_name
from video_cam.rendering.renderer import render
from video_cam.utils.files import StrPath
from video_cam.utils.text import for_picture

MAX_KEYFRAMES = 8
_MAX_LETTERS = 100  # of a clip's or a class's name
_PICTURES = ("contact_sheet.jpg", "timeline.png")


@dataclass(frozen=True)
class LoggedClip:
    """What is logged of one clip.

    Attributes:
        name: of the clip's results, on one line.
        scores: name of each explained target -> its mean score in the clip.
        video: the annotated video of the first map.
        keyframes: caption -> picture of the most important keyframes, in order of time.
        pictures: the contact sheet and the timeline.
        page: the folder with the page, videos, maps and numbers.
        truth: the true class, None if unknown.
        prediction: the best class, None for a network without classes.
    """

    name: str
    scores: dict[str, float]
    video: Path
    keyframes: dict[str, Path]
    pictures: dict[str, Path]
    page: Path
    truth: str | None
    prediction: str | None


@contextmanager
def logged_clips(results: Explanation | StrPath) -> Iterator[Iterator[LoggedClip]]:
    """What is logged of results; files exist until the end of the block.

    Args:
        results: the folder of one clip, the output folder of a run, or an explanation, which is
            drawn on its clip first.
    """
    if not isinstance(results, Explanation):
        found = find_results(results)
        # A copy each, so that no more than one keeps its maps.
        yield (_logged(Result(one.name, one.folder)) for one in found)
        return
    with TemporaryDirectory(prefix="video_cam") as folder:
        target = Path(folder) / for_picture(Path(results.clip.path).stem, _MAX_LETTERS)
        render(results.clip.path, results, target)
        yield (_logged(one) for one in find_results(target))


def plain_name(name: str) -> str:
    """A name of letters, digits, spaces and ``_.-``, which every logger's keys may have."""
    return re.sub(r"[^\w.\- ]+", "-", name).strip(". ") or "-"


def unique(names: Iterable[str]) -> list[str]:
    """The names, with a number behind those that an earlier one has."""
    taken: set[str] = set()
    made = []
    for name in names:
        other, number = name, 2
        while other in taken:
            other, number = f"{name} {number}", number + 1
        taken.add(other)
        made.append(other)
    return made


def _logged(result: Result) -> LoggedClip:
    folder, explanation = result.folder, result.explanation
    keyframes = _keyframes(result)
    best = explanation.predictions(1)
    targets = series_of_targets(explanation)
    labels = [for_picture(series.label, _MAX_LETTERS) for series in targets]
    scores = [float(explanation.window_scores(series).mean()) for series in targets]
    return LoggedClip(
        name=for_picture(result.name, _MAX_LETTERS),
        scores=dict(zip(unique(labels), scores, strict=True)),
        video=folder / result.summary["files"]["videos"][0],
        keyframes={
            f"{float(explanation.timeline.pts_seconds(index)):.2f} s": folder / keyframe_name(index)
            for index in keyframes
        },
        pictures={Path(name).stem: folder / name for name in _PICTURES},
        page=folder,
        truth=result.truth,
        prediction=for_picture(best[0].label, _MAX_LETTERS) if best else None,
    )


def _keyframes(result: Result) -> Sequence[int]:
    """The frames of the most important keyframes that were drawn."""
    given = result.maps.explanation.keyframes()
    drawn = [index for index in given if (result.folder / keyframe_name(index)).is_file()]
    return frames_to_look_at(result.maps, MAX_KEYFRAMES, among=drawn)
