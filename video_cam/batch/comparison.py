"""Runs side by side: their output folders in, a page out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from video_cam.batch.results_file import RESULTS
from video_cam.batch.store import FolderStore
from video_cam.errors import UsageError
from video_cam.evaluation.comparison import CHANGES, ComparedClip, Comparison, compare
from video_cam.evaluation.map_difference import MapDifference, map_difference
from video_cam.explanation.explanation import Explanation
from video_cam.rendering.page.comparison import write_comparison
from video_cam.rendering.result_folder import EXPLANATION_FILE
from video_cam.utils.files import make_folder
from video_cam.utils.progress import Progress, silent

_ANNOTATED = "annotated.mp4"


def compare_runs(
    folders: Sequence[Path], output_dir: Path, progress: Progress = silent
) -> Comparison:
    """Compare runs over the same clips and write a page about them.

    Args:
        folders: output folders of two or more runs; the others are compared with the first one.
        output_dir: gets index.html, which shows the runs' own videos.
        progress: called with the name and the length of the stage.

    Raises:
        UsageError: where a folder holds no results, the runs have no clip in common, or
            ``output_dir`` holds a run itself or cannot be written.
    """
    _check(folders, output_dir)
    stores = [FolderStore(folder) for folder in folders]
    comparison = compare(_names(folders), [list(store.records()) for store in stores])
    if not comparison.clips:
        raise UsageError(
            f"{' and '.join(repr(str(folder)) for folder in folders)} have no finished clip in "
            "common: give output folders of runs over the same clips"
        )
    with progress("compare", len(comparison.clips)) as step:
        clips = []
        for clip in comparison.clips:
            clips.append(_described(clip, stores, output_dir))
            step(1)
    clips.sort(key=_order)
    try:
        make_folder(output_dir)
        write_comparison(output_dir, comparison.names, comparison.sentences(), clips)
    except OSError as error:
        raise UsageError(
            f"cannot write to {str(output_dir)!r} ({error.strerror}): choose another --output-dir"
        ) from error
    return comparison


def _check(folders: Sequence[Path], output_dir: Path) -> None:
    if len(folders) < 2:
        raise UsageError("give the output folders of two or more runs")
    for folder in folders:
        if not (folder / RESULTS).is_file():
            raise UsageError(f"{str(folder)!r} holds no {RESULTS}: give the --output-dir of a run")
    if len({os.path.realpath(folder) for folder in folders}) < len(folders):
        raise UsageError("a run is given twice: each run needs an --output-dir of its own")
    if (output_dir / RESULTS).exists():
        raise UsageError(
            f"{str(output_dir)!r} holds a run, whose index.html would be replaced: choose another "
            "--output-dir"
        )


def _names(folders: Sequence[Path]) -> list[str]:
    """The ends of the paths, as long as they must be to differ."""
    parts = [Path(os.path.realpath(folder)).parts for folder in folders]
    length = 1
    while len({each[-length:] for each in parts}) < len(parts):
        length += 1
    return ["/".join(each[-length:]) for each in parts]


def _described(
    clip: ComparedClip, stores: Sequence[FolderStore], output_dir: Path
) -> dict[str, Any]:
    """What the page shows of a clip."""
    explanations = [
        _explanation(store.root / record["folder"])
        for store, record in zip(stores, clip.records, strict=True)
    ]
    differences = [_difference(explanations[0], other) for other in explanations[1:]]
    correlations = [one.correlation if one is not None else None for one in differences]
    return {
        "name": clip.name,
        "truth": clip.truth or "",
        "change": clip.change,
        "predictions": [record["prediction"] for record in clip.records],
        "correct": list(clip.correct),
        "correlations": correlations,
        "difference": next((one for one in differences if one is not None), None),
        "videos": list(_videos(clip, stores, explanations, output_dir)),
        "timeline": _timeline(explanations),
    }


def _order(clip: dict[str, Any]) -> tuple[int, float]:
    """Changed predictions first, then the clips whose maps are least alike."""
    known = [value for value in clip["correlations"] if value is not None]
    return CHANGES.index(clip["change"]), min(known, default=2.0)


def _explanation(folder: Path) -> Explanation | None:
    with suppress(UsageError):  # damaged or removed: the predictions are compared all the same
        return Explanation.load(folder / EXPLANATION_FILE)
    return None


def _difference(one: Explanation | None, other: Explanation | None) -> MapDifference | None:
    return None if one is None or other is None else map_difference(one, other)


def _videos(
    clip: ComparedClip,
    stores: Sequence[FolderStore],
    explanations: Sequence[Explanation | None],
    output_dir: Path,
) -> Iterator[dict[str, Any]]:
    """The annotated video of each run: its address, and the clip's time that is its time 0."""
    for store, record, explanation in zip(stores, clip.records, explanations, strict=True):
        summary = store.summary(record["folder"]) or {}
        names = (summary.get("files") or {}).get("videos") or [_ANNOTATED]
        path = Path(os.path.realpath(store.root)) / record["folder"] / names[0]
        start = 0.0
        if explanation is not None and explanation.span != (0, explanation.timeline.num_frames):
            start = float(explanation.timeline.pts_seconds(explanation.span[0]))
        yield {
            "path": Path(os.path.relpath(path, os.path.realpath(output_dir))).as_posix(),
            "start_seconds": start,
        }


def _timeline(explanations: Sequence[Explanation | None]) -> list[float]:
    """When each frame appears that all runs explained, and when the last one disappears."""
    known = [one for one in explanations if one is not None]
    if not known:
        return []
    first = max(one.span[0] for one in known)
    stop = min(one.span[1] for one in known)
    if first >= stop:
        return []
    timeline = known[0].timeline
    starts = [float(timeline.pts_seconds(index)) for index in range(first, stop)]
    return [round(x, 6) for x in (*starts, float(timeline.frame_end_seconds(stop - 1)))]
