"""An explanation in TensorBoard, for people who train: scores, a strip of keyframes, a video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from video_cam.explanation.explanation import Explanation
from video_cam.rendering.figure import evenly, figure, read_frames_at, seconds_of
from video_cam.rendering.heat import MapPainter
from video_cam.rendering.overlay import Palette, fit, overlay

LONGEST_SIDE = 320  # pixels of the video
MOST_FRAMES = 96


class Writer(Protocol):
    """What is asked of a SummaryWriter, torch's or tensorboardX's; add_video only for a video."""

    def add_scalar(self, tag: str, value: float, global_step: int | None) -> Any: ...
    def add_image(self, tag: str, image: np.ndarray, global_step: int | None) -> Any: ...


def to_tensorboard(
    writer: Writer,
    explanation: Explanation,
    step: int | None = None,
    *,
    clip: str | None = None,
    tag: str = "video_cam",
    frames: int | Sequence[int] = 6,
    video: bool = False,
    colormap: str = "inferno",
    alpha: float = 0.7,
) -> None:
    """Write each explained class's score and a strip of keyframes x maps at ``step``.

    Tags are ``<tag>/<clip's name>/...``. clip: where the clip is now, by default where it was
    explained. video: the first map's overlay through the whole clip, too; torch's writer needs
    moviepy for it.
    """
    source = clip or explanation.clip.path
    name = f"{tag}/{Path(source).stem}"
    for class_id, label in {series.class_id: series.label for series in explanation.maps}.items():
        writer.add_scalar(f"{name}/score/{label}", explanation.score(class_id), step)
    strip = figure(source, explanation, frames=frames, colormap=colormap, alpha=alpha)
    writer.add_image(f"{name}/maps", strip.pixels().transpose(2, 0, 1), step)
    if video:
        pictures, rate = _overlays(source, explanation, Palette(colormap, alpha))
        writer.add_video(  # type: ignore[attr-defined]
            f"{name}/overlay", pictures.transpose(0, 3, 1, 2)[None], step, fps=rate
        )


def _overlays(clip: str, explanation: Explanation, palette: Palette) -> tuple[np.ndarray, float]:
    """Frames that the network saw, at most MOST_FRAMES, uint8 (T, H, W, 3), and their rate."""
    indices = evenly(explanation.keyframes(), MOST_FRAMES)
    painter = MapPainter(explanation, 0, "video")
    painter.measure(seconds_of(explanation, range(*explanation.span)))
    seconds = seconds_of(explanation, indices)
    pictures = read_frames_at(clip, indices)
    drawn = [
        fit(overlay(pictures[i], painter.heat(s), painter.box, palette), LONGEST_SIDE)
        for i, s in zip(indices, seconds.tolist(), strict=True)
    ]
    length = float(seconds[-1] - seconds[0])
    return np.stack(drawn), (len(indices) - 1) / length if length else 1.0
