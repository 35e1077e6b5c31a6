"""What is drawn of one frame: of every map the source, the heat map, the overlay, the caption."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from video_cam.config import RenderConfig
from video_cam.models.registry import UNTRAINED
from video_cam.rendering.blended_maps import BlendedMap, BlendedMaps
from video_cam.rendering.captions import Caption, hides_much
from video_cam.rendering.heat import HeatMapper
from video_cam.rendering.overlay import Box, Palette, heat_map, overlay
from video_cam.utils.text import ELLIPSIS
from video_cam.video.color import RGBImage

NUM_LOOKED_AT = 32  # frames, to find out where a clip's heat lies
MAX_LAYER_LETTERS = 24  # of a layer's name in a caption


class Panels(NamedTuple):
    """The images of one map at one frame, uint8 (H, W, 3) RGB, and what is written of them."""

    source: RGBImage
    heat: RGBImage
    overlay: RGBImage
    caption: Caption = Caption()


class PanelDrawer:
    """Draws all maps of an explanation on a frame.

    Attributes:
        box: what the network saw of the source: left, top, right, bottom in pixels.
    """

    def __init__(self, maps: BlendedMaps, config: RenderConfig) -> None:
        self._explanation = maps.explanation
        self._palette = Palette.of(config)
        geometry = maps.explanation.geometry
        self._mappers = [HeatMapper(blended, geometry, config.normalize) for blended in maps]
        self._captions_at_top = [self._is_caption_at_top(mapper) for mapper in self._mappers]
        self.box: Box = self._mappers[0].box

    def draw(self, frame_index: int, rgb: RGBImage, with_heat: bool) -> list[Panels]:
        """The panels of every map.

        Args:
            frame_index: in the source.
            rgb: the frame's pixels.
            with_heat: False saves the time for the heat maps: the source stands in for them.
        """
        rows = []
        warning = "" if self._explanation.model.trained else UNTRAINED
        for mapper, at_top in zip(self._mappers, self._captions_at_top, strict=True):
            heat = mapper.coarse_heat(frame_index)
            drawn = overlay(rgb, heat, mapper.box, self._palette)
            alone = heat_map(rgb, heat, mapper.box, self._palette) if with_heat else rgb
            caption = Caption(self._caption(mapper.blended, frame_index), warning, at_top)
            rows.append(Panels(rgb, alone, drawn, caption))
        return rows

    def _is_caption_at_top(self, mapper: HeatMapper) -> bool:
        """Whether the top of a small picture has less heat than the bottom, over the clip.

        A caption covers much of a small picture. One on a large picture is always at the bottom.
        """
        clip, (first, stop) = self._explanation.clip, self._explanation.span
        parts = self._caption(mapper.blended, first)
        if not hides_much(parts, clip.width, clip.height):
            return False
        frames = np.linspace(first, stop - 1, min(stop - first, NUM_LOOKED_AT)).round().astype(int)
        maps = [mapper.coarse_heat(int(i)) for i in frames]
        heat = np.sum([each for each in maps if each is not None], axis=0)
        covered = max(len(heat) // 4, 1) if np.ndim(heat) else 0
        return bool(covered) and float(heat[:covered].sum()) < float(heat[-covered:].sum())

    def _caption(self, blended: BlendedMap, frame_index: int) -> tuple[str, ...]:
        """Class, score and time; method, layer and detail, too, where there are several."""
        timeline, series = self._explanation.timeline, blended.series
        score = blended.score(frame_index)
        text = "not seen"
        if score is not None:
            text = self._explanation.score_text(series.target, score)
        if timeline.num_frames > 1:
            text += f"   {float(timeline.pts_seconds(frame_index)):.2f} s"
        parts = (blended.label(frame_index), text)
        if len(self._mappers) == 1:
            return parts
        layer = series.layer
        if len(layer) > MAX_LAYER_LETTERS:  # names differ at their end
            layer = ELLIPSIS + layer[-MAX_LAYER_LETTERS + 1 :]
        detail = f", detail {series.detail}" if self._explanation.has_details else ""
        return (*parts, f"{series.method} {layer}{detail}")
