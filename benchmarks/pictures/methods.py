"""The picture docs/methods.jpg: one frame of a bundled clip, and the map of each method on it.

    python -m benchmarks.pictures.methods docs/methods.jpg

The class is "spin". Methods that follow attention are left out: ``motion3d`` has none.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import video_cam
from video_cam.choice_names import LAYER_METHOD_NAMES, SCORE_METHOD_NAMES
from video_cam.config import RenderConfig
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.heat import HeatMapper
from video_cam.rendering.overlay import Palette, overlay
from video_cam.video.clip import Clip

CLIP = Path(__file__).parents[2] / "clips" / "spin.mp4"
FRAME = 14  # within the event
SPAN = (0.5, 1.5)  # seconds around the event: one window
MASKS = 256
COLUMNS, TILE, CAPTION, MARGIN = 5, 180, 24, 6  # the last three in pixels


def tiles() -> Iterator[tuple[str, np.ndarray]]:
    """The frame and each method's overlay of it, uint8 (H, W, 3) RGB, with their captions."""
    clip = Clip.open(str(CLIP))
    image = clip.frames_at([FRAME])[FRAME]
    yield "the frame", image
    palette = Palette.of(RenderConfig())
    explanation = video_cam.explain(
        str(CLIP),
        video_cam.load_model("motion3d"),
        methods=(*LAYER_METHOD_NAMES, *SCORE_METHOD_NAMES),
        start=SPAN[0],
        end=SPAN[1],
        masks=MASKS,
    )
    maps = BlendedMaps(explanation)
    for index, series in enumerate(explanation.maps):
        mapper = HeatMapper(maps[index], explanation.geometry, "video")
        yield series.method, overlay(image, mapper.heat(FRAME), mapper.box, palette)


def contact_picture(named: Sequence[tuple[str, np.ndarray]]) -> Image.Image:
    """The tiles in rows, each with its caption below it."""
    rows = -(-len(named) // COLUMNS)
    step_x, step_y = TILE + MARGIN, TILE + CAPTION + MARGIN
    picture = Image.new("RGB", (COLUMNS * step_x + MARGIN, rows * step_y + MARGIN), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(15)
    for position, (caption, image) in enumerate(named):
        x = MARGIN + position % COLUMNS * step_x
        y = MARGIN + position // COLUMNS * step_y
        tile = Image.fromarray(image).resize((TILE, TILE), Image.Resampling.LANCZOS)
        picture.paste(tile, (x, y))
        centre = (x + TILE // 2, y + TILE + CAPTION // 2)
        draw.text(centre, caption, fill="black", font=font, anchor="mm")
    return picture


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    contact_picture(list(tiles())).save(parser.parse_args().output, quality=88)


if __name__ == "__main__":
    main()
