"""The picture of all methods in docs/methods.jpg: one frame of a bundled clip, a map of each.

    python -m benchmarks.pictures.methods docs/methods.jpg

The class is "spin", the best one of both networks on this clip: ``motion3d`` for the methods
of layers and of masking, ``transformer3d`` for those that follow attention.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import video_cam
from video_cam.choice_names import (
    ATTENTION_METHOD_NAMES,
    LAYER_METHOD_NAMES,
    SCORE_METHOD_NAMES,
)
from video_cam.config import RenderConfig
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.heat import HeatMapper
from video_cam.rendering.overlay import Palette, overlay
from video_cam.video.clip import Clip

CLIP = Path(__file__).parents[2] / "clips" / "spin.mp4"
LABEL = "spin"
FRAME = 14  # within the event
SPAN = (0.5, 1.5)  # seconds around the event: one window of each network
MASKS = 256
COLUMNS, TILE, CAPTION, MARGIN = 6, 192, 24, 6  # the last three in pixels


def tiles() -> Iterator[tuple[str, np.ndarray]]:
    """The frame and each method's overlay of it, uint8 (H, W, 3) RGB, with their captions."""
    clip = Clip.open(str(CLIP))
    image = clip.frames_at([FRAME])[FRAME]
    yield "the frame", image
    palette = Palette.of(RenderConfig())
    for network, methods in (
        ("motion3d", (*LAYER_METHOD_NAMES, *SCORE_METHOD_NAMES)),
        ("transformer3d", ATTENTION_METHOD_NAMES),
    ):
        model = video_cam.load_model(network)
        explanation = video_cam.explain(
            str(CLIP), model, methods=methods, start=SPAN[0], end=SPAN[1], masks=MASKS
        )
        if explanation.predictions()[0].label != LABEL:
            raise SystemExit(f"{network} does not answer {LABEL!r}: its maps are of another class")
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    contact_picture(list(tiles())).save(parser.parse_args().output, quality=88)


if __name__ == "__main__":
    main()
