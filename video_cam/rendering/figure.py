"""A figure for papers: keyframes across, maps down, with their times and a colour bar."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from video_cam.attribution.attribution_result import MapKey
from video_cam.config import RenderConfig
from video_cam.errors import UsageError
from video_cam.explanation.explanation import Explanation, MapSeries
from video_cam.models.registry import UNTRAINED
from video_cam.rendering.blended_maps import BlendedMaps, seconds_of
from video_cam.rendering.frame_choice import frames_to_look_at
from video_cam.rendering.heat import HeatMapper
from video_cam.rendering.overlay import Palette, overlay
from video_cam.rendering.plot_text import plot_text
from video_cam.rendering.source_clip import as_explained, check_clip, check_explanation
from video_cam.rendering.strip import Rows, Strip, strip_of
from video_cam.utils.field_types import check_path, plain, shown_value
from video_cam.utils.names import as_tuple
from video_cam.video.clip import Clip

NUM_FRAMES = 6
MAX_NAME_LETTERS = 40  # of a target, method or layer beside a row
LONG_SECONDS = 120  # from here on times are minutes and seconds


def figure(
    clip: str | os.PathLike[str],
    explanation: Explanation,
    path: str | os.PathLike[str] | None = None,
    *,
    frames: int | Sequence[int] = NUM_FRAMES,
    methods: str | Sequence[str] | None = None,
    layers: str | Sequence[str] | None = None,
    class_ids: int | Sequence[int] | None = None,
    details: str | Sequence[str] | None = None,
    source: bool = True,
    colormap: str = RenderConfig.colormap,
    alpha: float = RenderConfig.alpha,
    normalize: str = RenderConfig.normalize,
    contours: float | Sequence[float] = RenderConfig.contours,
    shared_scale: bool = False,
) -> Strip:
    """Draw keyframes and their maps as a matplotlib figure for print.

    It is at most 7.2 inches wide, two columns of a journal, unless times need more; text is 7
    points high. Images have the shape in which the clip is shown. The colour bar has the colours
    of heat as they are drawn, with their opacity, over a grey of 128. Fonts are embedded.

    Args:
        clip: the clip that was explained.
        explanation: what to draw.
        path: where to save the figure: .pdf, .png or .svg.
        frames: how many keyframes, the peaks of the maps and some between them; or the indices of
            source frames.
        methods: which methods' maps; None for all of the explanation's.
        layers: which layers' maps, likewise.
        class_ids: which classes' maps, likewise.
        details: which details' maps, likewise.
        source: a first row shows the frames without maps.
        colormap: as in RenderConfig.
        alpha: as in RenderConfig.
        normalize: as in RenderConfig.
        contours: as in RenderConfig; lines at the same levels are on the colour bar.
        shared_scale: heat 1 is the largest value of all rows with the same layer, method and
            detail, so that classes can be compared; else of each row. Only with
            ``normalize="video"``.

    Raises:
        UsageError: for another clip than the one that was explained, frames or maps that the
            explanation does not hold, or a wrong option.
        ClipError: where the clip cannot be read.
    """
    config = RenderConfig(
        colormap=colormap, alpha=alpha, normalize=normalize, contours=as_tuple(contours)
    )
    check_explanation(explanation)
    if shared_scale and normalize != "video":
        raise UsageError(
            f"shared_scale compares the largest values in the video, and normalize is "
            f"{normalize!r}: leave one of them out"
        )
    if path is not None:
        check_path("the figure's file", path)
    chosen = _chosen_maps(
        explanation,
        {"method": methods, "layer": layers, "class_id": class_ids, "detail": details},
    )
    maps = BlendedMaps(explanation)
    frame_indices = chosen_frames(maps, frames, chosen)
    opened = Clip.open(clip, video_stream=explanation.clip.video_stream)
    check_clip(opened, explanation)
    drawn = draw_strip(opened, maps, config, frame_indices, chosen, source, shared_scale)
    if path is not None:
        drawn.save(Path(path))
    return drawn


def draw_strip(
    clip: Clip,
    maps: BlendedMaps,
    config: RenderConfig,
    frame_indices: Sequence[int] | None = None,
    chosen: Sequence[int] | None = None,
    source: bool = True,
    shared_scale: bool = False,
) -> Strip:
    """``figure`` of a clip that is open already.

    Args:
        clip: the clip that was explained.
        maps: of the explanation.
        config: colours, opacity and normalisation.
        frame_indices: source frames of the columns, in order; None for NUM_FRAMES keyframes.
        chosen: the maps of the rows, as positions in ``maps``; None for all of them.
        source: a first row shows the frames without maps.
        shared_scale: as in ``figure``.
    """
    explanation = maps.explanation
    if frame_indices is None:
        frame_indices = frames_to_look_at(maps, NUM_FRAMES, chosen)
    chosen = range(len(maps)) if chosen is None else chosen
    images = as_explained(clip, explanation).frames_at(frame_indices)
    palette = Palette.of(config)
    names = ["frame"] if source else []
    rows = [[images[i] for i in frame_indices]] if source else []
    peaks = _shared_peaks(maps, chosen) if shared_scale else {}
    for index in chosen:
        series = explanation.maps[index]
        peak = peaks.get(series.kind)
        mapper = HeatMapper(maps[index], explanation.geometry, config.normalize, peak)
        rows.append(
            [overlay(images[i], mapper.heat(i), mapper.box, palette) for i in frame_indices]
        )
        names.append(_row_name(explanation, series))
    return strip_of(
        Rows(
            names,
            rows,
            times_of(explanation, frame_indices),
            float(explanation.clip.sample_aspect_ratio),
            _scale(config.normalize, len(chosen), peaks),
            "" if explanation.model.trained else UNTRAINED,
        ),
        palette,
    )


def _shared_peaks(maps: BlendedMaps, chosen: Sequence[int]) -> dict[MapKey, float]:
    """For each kind of map the largest value of the chosen maps, in map units."""
    peaks: dict[MapKey, float] = {}
    for index in chosen:
        kind = maps.explanation.maps[index].kind
        peaks[kind] = max(peaks.get(kind, 0.0), maps[index].peak)
    return peaks


def _scale(normalize: str, num_rows: int, peaks: Mapping[MapKey, float]) -> str:
    """What the colour bar shows, and what has heat 1."""
    whose = "each row's " if num_rows > 1 else "the "
    of_rows = ""
    if peaks:
        whose, of_rows = "the ", " of all rows"
    if len(peaks) > 1:
        of_rows += " with the same layer, method and detail"
    return f"colours of heat over grey; heat 1 is {whose}largest value in the {normalize}{of_rows}"


def times_of(explanation: Explanation, frame_indices: Sequence[int]) -> list[str]:
    """Time stamps: seconds, of long clips minutes and seconds."""
    instants = [float(seconds) for seconds in seconds_of(explanation, frame_indices)]
    first, stop = explanation.span
    length = seconds_of(explanation, [stop - 1])[0] - seconds_of(explanation, [first])[0]
    if length < LONG_SECONDS:
        return [f"{seconds:.2f} s" for seconds in instants]
    hundredths = [round(100 * seconds) for seconds in instants]
    return [f"{at // 6000}:{at % 6000 / 100:05.2f} min" for at in hundredths]


def chosen_frames(maps: BlendedMaps, frames: Any, chosen: Sequence[int] | None = None) -> list[int]:
    """The source frames of the columns, in order.

    Args:
        maps: of the explanation whose frames they are.
        frames: how many, or the indices of source frames; also NumPy's and PyTorch's.
        chosen: of the maps in ``maps`` whose peaks are looked for; None for all of them.

    Raises:
        UsageError: for other values, and for frames that were not explained.
    """
    first, stop = maps.explanation.span
    frames = _whole_numbers(frames)
    if isinstance(frames, int):
        if frames < 1:
            raise UsageError(f"frames {frames} must be 1 or more, or a list of source frames")
        return frames_to_look_at(maps, frames, chosen)
    for index in frames:
        if not first <= index < stop:
            raise UsageError(
                f"frame {index} lies outside what was explained, {first} to {stop - 1}"
            )
    if not frames:
        raise UsageError("frames is empty: name at least one source frame, or how many")
    return sorted(set(frames))


def _whole_numbers(frames: Any) -> int | list[int]:
    """A whole number or a list of them, in Python's types."""
    is_several = isinstance(plain(frames), Iterable)
    found = list(map(plain, plain(frames))) if is_several else [plain(frames)]
    if not all(isinstance(index, int) and not isinstance(index, bool) for index in found):
        raise UsageError(
            f"frames {shown_value(frames)} must be a whole number, or a list of source frames"
        )
    return found if is_several else found[0]


def _chosen_maps(explanation: Explanation, wanted: Mapping[str, Any]) -> list[int]:
    """The positions of the maps with one of the wanted values of each field; None is any."""
    chosen = list(range(len(explanation.maps)))
    for name, values in wanted.items():
        if values is None:
            continue
        there = {getattr(series, name): None for series in explanation.maps}
        for value in as_tuple(values):
            if value not in there:
                known = ", ".join(map(str, there))
                raise UsageError(f"{name} {value!r} was not explained; there is {known}")
        chosen = [i for i in chosen if getattr(explanation.maps[i], name) in as_tuple(values)]
    if not chosen:
        raise UsageError("no map was explained for these choices together")
    return chosen


def _row_name(explanation: Explanation, series: MapSeries) -> str:
    """The target, and method, layer and detail where the explanation has several."""
    parts = [series.label]
    for name in ("method", "layer"):
        if len({getattr(other, name) for other in explanation.maps}) > 1:
            parts.append(getattr(series, name))
    if explanation.has_details:
        parts.append(f"detail {series.detail}")
    return "\n".join(plot_text(part, MAX_NAME_LETTERS) for part in parts)
