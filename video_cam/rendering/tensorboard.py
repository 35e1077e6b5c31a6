"""An explanation in TensorBoard: scores, a strip of keyframes and maps, a video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from video_cam.config import RenderConfig
from video_cam.explanation.explanation import Explanation
from video_cam.rendering.blended_maps import BlendedMaps, seconds_of
from video_cam.rendering.explained_targets import labels_of_targets
from video_cam.rendering.figure import NUM_FRAMES, chosen_frames, draw_strip
from video_cam.rendering.frame_importance import evenly
from video_cam.rendering.heat import HeatMapper
from video_cam.rendering.overlay import Palette, fit, overlay
from video_cam.rendering.source_clip import as_explained, check_clip, check_explanation
from video_cam.utils.text import for_picture
from video_cam.video.clip import Clip

MAX_VIDEO_SIDE = 320  # pixels
MAX_VIDEO_FRAMES = 96
MAX_TAG_LETTERS = 100  # of a clip's or a class's name


class Writer(Protocol):
    """The methods of a SummaryWriter that are called, torch's or tensorboardX's.

    ``add_video`` is called only where a video is asked for.
    """

    def add_scalar(self, tag: str, value: float, global_step: int | None) -> Any: ...
    def add_image(self, tag: str, image: np.ndarray, global_step: int | None) -> Any: ...


def to_tensorboard(
    writer: Writer,
    explanation: Explanation,
    step: int | None = None,
    *,
    clip: str | None = None,
    tag: str = "video_cam",
    frames: int | Sequence[int] = NUM_FRAMES,
    video: bool = False,
    colormap: str = RenderConfig.colormap,
    alpha: float = RenderConfig.alpha,
    contours: Sequence[float] = RenderConfig.contours,
) -> None:
    """Write each target's score and a strip of keyframes and maps, as ``<tag>/<clip's name>/...``.

    Args:
        writer: torch's or tensorboardX's SummaryWriter.
        explanation: what to write.
        step: the global step.
        clip: where the clip is now; None for where it was explained.
        tag: the first part of all tags.
        frames: of the strip, as in ``figure``.
        video: also write the first map's overlay through the whole clip; torch's writer needs
            moviepy for it.
        colormap: as in RenderConfig.
        alpha: as in RenderConfig.
        contours: as in RenderConfig.

    Raises:
        UsageError: for another clip than the one that was explained, frames that the explanation
            does not hold, or a wrong option.
        ClipError: where the clip cannot be read.
    """
    config = RenderConfig(colormap=colormap, alpha=alpha, contours=tuple(contours))
    check_explanation(explanation)
    explained, maps = explanation.clip, BlendedMaps(explanation)
    frame_indices = chosen_frames(maps, frames)
    source = Clip.open(
        explained.path if clip is None else clip, video_stream=explained.video_stream
    )
    check_clip(source, explanation)
    name = f"{tag}/{for_picture(Path(source.path).stem, MAX_TAG_LETTERS)}"
    for target, label in labels_of_targets(explanation).items():
        shown = for_picture(label, MAX_TAG_LETTERS)
        writer.add_scalar(f"{name}/score/{shown}", explanation.score(target), step)
    strip = draw_strip(source, maps, config, frame_indices)
    writer.add_image(f"{name}/maps", strip.pixels().transpose(2, 0, 1), step)
    if video:
        images, rate = _overlays(source, maps, config)
        writer.add_video(  # type: ignore[attr-defined]
            f"{name}/overlay", images.transpose(0, 3, 1, 2)[None], step, fps=rate
        )


def _overlays(clip: Clip, maps: BlendedMaps, config: RenderConfig) -> tuple[np.ndarray, float]:
    """The first map over at most MAX_VIDEO_FRAMES keyframes.

    Returns:
        uint8 (T, H, W, 3) RGB, and the frame rate in frames per second.
    """
    explanation = maps.explanation
    indices = evenly(explanation.keyframes(), MAX_VIDEO_FRAMES)
    mapper = HeatMapper(maps[0], explanation.geometry, config.normalize)
    palette = Palette.of(config)
    images = as_explained(clip, explanation).frames_at(indices)
    aspect = float(explanation.clip.sample_aspect_ratio)
    drawn = [
        fit(overlay(images[i], mapper.heat(i), mapper.box, palette), MAX_VIDEO_SIDE, aspect)
        for i in indices
    ]
    seconds = seconds_of(explanation, indices)
    length = float(seconds[-1] - seconds[0])
    return np.stack(drawn), (len(indices) - 1) / length if length else 1.0
