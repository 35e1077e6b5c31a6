"""Keyframes: which frames are saved, their images and thumbnails, and how important they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from video_cam.explanation.explanation import Explanation
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.captions import captioned
from video_cam.rendering.image_files import save_image
from video_cam.rendering.overlay import Box, crop, fit, stack, stitch
from video_cam.rendering.page.assets import PAGE_FOLDER
from video_cam.rendering.panels import Panels
from video_cam.video.color import RGBImage

FOLDER = "keyframes"
MAX_PANEL_SIDE = 640  # pixels
THUMBNAIL_SIDE = 160  # pixels, the longer side
MAX_SUFFICIENT = 64  # pictures of frames that are enough for the score


def evenly(items: Sequence[int], max_count: int) -> list[int]:
    """At most ``max_count`` of the items, evenly spread, the first and the last among them."""
    if len(items) <= max_count:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, max_count).round().astype(int)]


def frames_to_look_at(maps: BlendedMaps, max_count: int, index: int = 0) -> list[int]:
    """Some of the frames that the network saw: the most important ones, and the clip between.

    Half of them are the frames with the largest importance: those that the frame test found to be
    enough, then others, each at least a ``max_count``-th part of the keyframes away from those
    chosen before. The rest are those that are farthest from all chosen before, so that no part of
    the clip is left out.

    Args:
        maps: of the explanation.
        max_count: at most so many frames.
        index: of the map in ``maps``.

    Returns:
        Source frame indices, rising; evenly spread where no frame is more important than another.
    """
    frames = np.array(maps.explanation.keyframes())
    mass = importance(maps, frames.tolist(), index)
    if len(frames) <= max_count or np.ptp(mass) == 0:
        return evenly(frames.tolist(), max_count)
    gap = len(frames) / max_count
    distance = np.full(len(frames), np.inf)  # of each keyframe from the chosen ones
    chosen: list[int] = []

    def choose(position: int) -> None:
        chosen.append(position)
        np.minimum(distance, np.abs(np.arange(len(frames)) - position), out=distance)

    most = (max_count + 1) // 2
    for position in _sufficient_first(maps, frames, mass, index)[:most]:
        choose(position)
    while len(chosen) < most and (mass[distance >= gap] > 0).any():
        choose(int(np.where(distance >= gap, mass, -1).argmax()))
    while len(chosen) < max_count:
        choose(int(distance.argmax()))
    return frames[sorted(chosen)].tolist()


def sufficient_frames(explanation: Explanation) -> list[int]:
    """The frames that the frame test found to be enough, at most MAX_SUFFICIENT of them."""
    result = explanation.frame_test
    return [] if result is None else evenly(result["sufficient_frames"], MAX_SUFFICIENT)


def keyframe_name(frame_index: int) -> str:
    """The path of a keyframe's image, relative to the clip's folder."""
    return f"{FOLDER}/{frame_index:06d}.png"


def thumbnail_name(frame_index: int) -> str:
    """The path of a keyframe's thumbnail for the page, relative to the clip's folder."""
    return f"{PAGE_FOLDER}/{FOLDER}/{frame_index:06d}.jpg"


def make_folders(folder: Path) -> None:
    """Create the folders of keyframes and thumbnails in the clip's folder."""
    for name in (keyframe_name(0), thumbnail_name(0)):
        (folder / name).parent.mkdir(parents=True)


def save_keyframe(
    folder: Path, frame_index: int, rows: Sequence[Panels], pixel_aspect: float = 1.0
) -> None:
    """Write one PNG with a row for each map: source, heat map, overlay, in square pixels."""
    strips = [_row(row, pixel_aspect) for row in rows]
    save_image(folder / keyframe_name(frame_index), stack(strips))


def _row(panels: Panels, pixel_aspect: float) -> RGBImage:
    """The three images of a map, with the caption below them."""
    row = stitch(
        [
            fit(image, MAX_PANEL_SIDE, pixel_aspect)
            for image in (panels.source, panels.heat, panels.overlay)
        ]
    )
    return captioned(row, panels.caption)


def save_thumbnail(folder: Path, frame_index: int, rgb: RGBImage, box: Box) -> None:
    """Write the part of a frame that the network saw as a small JPEG, without heat."""
    save_image(folder / thumbnail_name(frame_index), fit(crop(rgb, box), THUMBNAIL_SIDE))


def keep_keyframes(folder: Path, frame_indices: Sequence[int]) -> None:
    """Remove other frames' pictures from the sub-folders, where each is named by its frame."""
    for picture in folder.glob("*/*.png"):
        if int(picture.stem) not in frame_indices:
            picture.unlink()


def importance(maps: BlendedMaps, frame_indices: Sequence[int], index: int = 0) -> np.ndarray:
    """How important frames are for a map's target.

    Where the frame test tested this target, the frames that it tested have what they add to the
    score, as a share of the largest contribution, plus 1, and 0 where they add nothing. All other
    frames have the map's mass, as a share of the largest.

    Args:
        maps: of the explanation.
        frame_indices: source frames.
        index: of the map in ``maps``.

    Returns:
        float64 (frames,), at least 0.
    """
    blended = maps[index]
    mass = blended.mass[np.array(frame_indices) - blended.first]
    values = mass / (blended.mass.max() or 1.0)
    added = _contributions(maps, index)
    largest = max(added.values(), default=0.0)
    if largest <= 0:
        return values
    for position, frame in enumerate(frame_indices):
        if frame in added:
            values[position] = 1 + added[frame] / largest if added[frame] > 0 else 0.0
    return values


def most_important(maps: BlendedMaps, frame_indices: Sequence[int]) -> int:
    """The frame with the largest importance for the first map, the first of equal ones."""
    return frame_indices[int(importance(maps, frame_indices).argmax())]


def _contributions(maps: BlendedMaps, index: int) -> dict[int, float]:
    """Source frame -> what it adds to the score of a map's target; empty without the test."""
    explanation = maps.explanation
    result, tested = explanation.frame_test, explanation.maps[0].target
    if result is None or explanation.maps[index].target != tested:
        return {}
    return dict(zip(result["frame_indices"], result["contributions"], strict=True))


def _sufficient_first(
    maps: BlendedMaps, frames: np.ndarray, values: np.ndarray, index: int
) -> list[int]:
    """Positions in ``frames`` of those that are enough for the score, the most important first."""
    if not _contributions(maps, index):
        return []
    assert maps.explanation.frame_test is not None
    places = np.flatnonzero(np.isin(frames, maps.explanation.frame_test["sufficient_frames"]))
    return places[np.argsort(-values[places], kind="stable")].tolist()


def describe_keyframes(maps: BlendedMaps, frame_indices: Sequence[int]) -> list[dict[str, Any]]:
    """The entries of summary.json.

    Returns:
        For each keyframe its file, frame_index and pts_seconds; importance: the mass of the first
        map, as a share of its largest mass in the clip; score: what the frame alone gave the
        target, None for a network that scores clips; contribution: what the frame test found that
        the frame adds to the score, None where it was not tested.
    """
    explanation, mass, first = maps.explanation, maps[0].mass, maps[0].first
    largest = mass.max() or 1.0
    scores, added = explanation.scores_of_frames(), _contributions(maps, 0)
    return [
        {
            "file": keyframe_name(index),
            "frame_index": index,
            "pts_seconds": float(explanation.timeline.pts_seconds(index)),
            "importance": float(mass[index - first] / largest),
            "score": scores.get(index),
            "contribution": added.get(index),
        }
        for index in frame_indices
    ]
