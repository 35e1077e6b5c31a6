"""Notes attached to a result: untrained network, colours, damage, windows, cuts, memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from video_cam.choice_names import SCORE_METHOD_NAMES
from video_cam.config import ExplainConfig
from video_cam.explanation.clip_plan import ClipPlan
from video_cam.explanation.damage import Damage
from video_cam.explanation.map_series import MapSeries
from video_cam.explanation.quantised_maps import window_peaks
from video_cam.explanation.window_result import WindowResult
from video_cam.models.registry import UNTRAINED
from video_cam.utils.notes import INFORMATION, WARNING, Note
from video_cam.video.deinterlacing import deinterlacing_filter

# How many cuts and maps a note lists; the others are counted.
CUTS_NAMED = 5
MAPS_NAMED = 3
DEINTERLACED = "is interlaced: its frames were deinterlaced, for the network and the pictures"
_NOT_RAISED = "they have no positive values, nothing in the clip raises these scores"
_HIDES_NOTHING = (
    "one frame is shown all the time, so fill before hides nothing; --fill blur or mean does"
)
COMBED = (
    "is interlaced and was not deinterlaced, because this FFmpeg has no filter for it: what moves "
    "has combed edges, for the network too"
)


def notes(
    plan: ClipPlan, config: ExplainConfig, results: Sequence[WindowResult], damage: Damage
) -> Iterator[Note]:
    """Notes on the network, the file and the windows, one line each.

    Args:
        results: of all windows of the plan.
        damage: of the clip.
    """
    if not plan.model.trained:
        yield Note(UNTRAINED, WARNING)
    yield from plan.model_notes
    yield from map(Note, plan.clip.info.conversions)
    problems = (*plan.clip.info.problems, *damage.sentences(plan.clip.timeline.num_frames))
    yield from (Note(problem, WARNING) for problem in problems)
    yield from _notes_on_stamps(plan.clip.info.num_jumps)
    if plan.clip.info.num_video_streams > 1 and plan.clip.info.video_stream is None:
        yield Note(
            f"the file has {plan.clip.info.num_video_streams} video streams: the one that FFmpeg "
            "takes for the best is explained; --video-stream 0 takes the first"
        )
    if plan.clip.info.is_interlaced or any(result.has_interlaced for result in results):
        whole_or_part = "the clip" if plan.clip.info.is_interlaced else "a part of the clip"
        if deinterlacing_filter() is None:
            yield Note(f"{whole_or_part} {COMBED}", WARNING)
        else:
            yield Note(f"{whole_or_part} {DEINTERLACED}")
    # Several workers may run out of memory, each in its own way.
    of_memory = dict.fromkeys(result.memory_note for result in results)
    of_maps = dict.fromkeys(result.map_note for result in results)
    texts = (plan.rate_note, plan.batch_note, *of_memory, plan.detail_note, *of_maps)
    yield from (Note(text) for text in texts if text)
    yield from _notes_on_masks(plan, config, results)
    yield from _notes_on_windows(plan, config)
    cuts = sorted({cut for result in results for cut in result.cuts})
    if cuts and not config.split_scenes:
        yield Note(_text_on_cuts(plan, cuts), WARNING)


def _notes_on_stamps(num_jumps: int) -> Iterator[Note]:
    if num_jumps:
        times = "once" if num_jumps == 1 else f"{num_jumps} times"
        yield Note(
            f"the clip's time stamps jump {times}: its parts are joined without a gap, and times "
            "are counted from its first frame"
        )


def _notes_on_masks(
    plan: ClipPlan, config: ExplainConfig, results: Sequence[WindowResult]
) -> Iterator[Note]:
    """How many random masks were drawn for maps, and how precise these are."""
    for place, (_, method, _) in enumerate(plan.map_keys):
        of_maps = [
            known[place] for one in results for known in one.sampling.values() if place in known
        ]
        if not of_maps:
            continue
        counts, errors = zip(*of_maps, strict=True)
        least, most = f"{min(counts):,}", f"{max(counts):,}"
        many = most if least == most else f"{least} to {most}"
        advice = "" if max(counts) < config.masks else "; --masks draws more"
        yield Note(
            f"{method}: {many} random masks for each map; the standard error of a cell is "
            f"{100 * np.mean(errors):.0f} % of the largest value of its map, at most "
            f"{100 * max(errors):.0f} %{advice}"
        )


def _notes_on_windows(plan: ClipPlan, config: ExplainConfig) -> Iterator[Note]:
    windows = plan.windows
    if config.split_scenes:
        short = sum(window.num_padded > 0 for window in windows)  # the only ones of their scenes
        count = "1 scene" if len(plan.scenes) == 1 else f"{len(plan.scenes)} scenes"
        are = "is" if short == 1 else "are"
        rest = f"; {short} of them {are} shorter than a window" if short else ""
        yield Note(f"{count}; no window runs across a cut{rest}")
    elif windows[0].num_padded:
        length, padded = len(windows[0].frame_indices), windows[0].num_padded
        repeated = "frames are" if config.sampling == "uniform" else "its last frame is"
        yield Note(
            f"the clip gives {length - padded} of the {length} frames the network takes: "
            f"{repeated} repeated"
        )


def _text_on_cuts(plan: ClipPlan, cuts: Sequence[int]) -> str:
    seconds = [float(plan.clip.timeline.pts_seconds(cut)) for cut in cuts]
    shown = [f"{cut_seconds:.2f} s" for cut_seconds in seconds]
    return (
        f"windows run across what looks like a hard cut at {_listed(shown, CUTS_NAMED)}: their "
        "maps mix two scenes; --split-scenes keeps them apart"
    )


def notes_on_maps(maps: Sequence[MapSeries], is_held: bool = False) -> Iterator[Note]:
    """Notes on maps without any positive value: they are drawn without heat.

    Args:
        is_held: what ``hides_nothing`` returns.
    """
    empty = [one for one in maps if not (window_peaks(one.values) > 0).any()]
    reasons = [_HIDES_NOTHING if is_held and _hides(one) else _NOT_RAISED for one in empty]
    for reason in dict.fromkeys(reasons):
        names = [
            f"{one.label} ({one.method} {one.layer})"
            for one, of_map in zip(empty, reasons, strict=True)
            if of_map == reason
        ]
        kind = WARNING if reason == _HIDES_NOTHING else INFORMATION
        yield Note(f"no heat in the maps of {_listed(names, MAPS_NAMED)}: {reason}", kind)


def hides_nothing(plan: ClipPlan, config: ExplainConfig) -> bool:
    """Whether occlusion and rise fill with what is there anyway: one frame, all the time."""
    return config.fill == "before" and all(
        len({*window.frame_indices}) == 1 for window in plan.windows
    )


def _hides(series: MapSeries) -> bool:
    return series.method in SCORE_METHOD_NAMES


def _listed(names: Sequence[str], most: int) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
