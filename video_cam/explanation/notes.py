"""What a reader of a result has to know, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from video_cam.config import ExplainConfig
from video_cam.explanation.explanation import MapSeries
from video_cam.explanation.sampling import Span, Window
from video_cam.models.classifier import Classifier
from video_cam.models.registry import UNTRAINED
from video_cam.video.scan import ClipInfo
from video_cam.video.timeline import Timeline

CUTS_NAMED = 5
MAPS_NAMED = 3


def notes(
    clip: ClipInfo,
    timeline: Timeline,
    model: Classifier,
    options: ExplainConfig,
    windows: Sequence[Window],
    scenes: Sequence[Span],
    cuts: Sequence[int],
    num_damaged: int,
    memory: str | None,
) -> Iterator[str]:
    """Notes on the network, the file and the windows.

    cuts: frames behind what looks like a hard cut that windows run across. memory: what did not
    suffice.
    """
    if not model.trained:
        yield UNTRAINED
    if model.note:
        yield model.note
    declared = clip.declared_frames
    if declared and timeline.num_frames < declared:
        yield f"decoded {timeline.num_frames} of {declared} frames: the file is incomplete"
    if num_damaged:
        yield f"{num_damaged} damaged packets were skipped"
    if memory:
        yield memory
    num_frames, padded = len(windows[0].frame_indices), windows[0].num_padded
    if options.split_scenes:
        short = sum(window.num_padded > 0 for window in windows)  # alone in their scenes
        count = "1 scene" if len(scenes) == 1 else f"{len(scenes)} scenes"
        are = "is" if short == 1 else "are"
        yield f"{count}; no window runs across a cut" + (
            f"; {short} of them {are} shorter than a window" if short else ""
        )
    elif padded:
        repeated = "frames are" if options.sampling == "uniform" else "its last frame is"
        yield (
            f"the clip gives {num_frames - padded} of the {num_frames} frames the network takes: "
            f"{repeated} repeated"
        )
    if cuts and not options.split_scenes:
        shown = [f"{float(timeline.pts_seconds(cut)):.2f} s" for cut in cuts[:CUTS_NAMED]]
        more = f" and {len(cuts) - CUTS_NAMED} more" if len(cuts) > CUTS_NAMED else ""
        yield (
            f"windows run across what looks like a hard cut at {', '.join(shown)}{more}: their "
            "maps mix two scenes; --split-scenes keeps them apart"
        )


def notes_on_maps(maps: Sequence[MapSeries]) -> Iterator[str]:
    """A map without heat looks like a fault, and is an answer."""
    empty = [one for one in maps if not (one.values > 0).any()]
    names = [f"{one.label} ({one.method} {one.layer})" for one in empty[:MAPS_NAMED]]
    if empty:
        more = f" and {len(empty) - MAPS_NAMED} more" if len(empty) > MAPS_NAMED else ""
        yield f"no heat anywhere for {', '.join(names)}{more}: nothing there speaks for it"
