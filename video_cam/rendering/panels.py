"""What is drawn of one frame: the source, the heat map and the captioned overlay of every map."""

from __future__ import annotations

from typing import NamedTuple

from video_cam.config import RenderConfig
from video_cam.models.registry import UNTRAINED
from video_cam.rendering.blended_maps import BlendedMap, BlendedMaps
from video_cam.rendering.captions import AMBER, draw_caption
from video_cam.rendering.heat import HeatMapper
from video_cam.rendering.overlay import Box, Palette, heat_map, overlay
from video_cam.utils.text import ELLIPSIS
from video_cam.video.color import RGBImage

MAX_LAYER_LETTERS = 24  # of a layer's name in a caption


class Panels(NamedTuple):
    """The images of one map at one frame, uint8 (H, W, 3) RGB."""

    source: RGBImage
    heat: RGBImage
    overlay: RGBImage


class PanelDrawer:
    """Draws all maps of an explanation on a frame.

    Attributes:
        box: what the network saw of the source: left, top, right, bottom in pixels.
    """

    def __init__(self, maps: BlendedMaps, config: RenderConfig) -> None:
        self._explanation = maps.explanation
        self._palette = Palette(config.colormap, config.alpha)
        geometry = maps.explanation.geometry
        self._mappers = [HeatMapper(blended, geometry, config.normalize) for blended in maps]
        self.box: Box = self._mappers[0].box

    def draw(self, frame_index: int, rgb: RGBImage, with_heat: bool) -> list[Panels]:
        """The panels of every map.

        Args:
            frame_index: in the source.
            rgb: the frame's pixels.
            with_heat: False saves the time for the heat maps: the source stands in for them.
        """
        rows = []
        for mapper in self._mappers:
            heat = mapper.coarse_heat(frame_index)
            drawn = overlay(rgb, heat, mapper.box, self._palette)
            draw_caption(drawn, self._caption(mapper.blended, frame_index))
            if not self._explanation.model.trained:
                draw_caption(drawn, [UNTRAINED], top=True, colour=AMBER)
            alone = heat_map(rgb, heat, mapper.box, self._palette) if with_heat else rgb
            rows.append(Panels(rgb, alone, drawn))
        return rows

    def _caption(self, blended: BlendedMap, frame_index: int) -> list[str]:
        """Class, score and time; method and layer too where there are several maps."""
        timeline, series = self._explanation.timeline, blended.series
        score = blended.score(frame_index)
        text = "not seen"
        if score is not None:
            text = self._explanation.score_text(series.target, score)
        if timeline.num_frames > 1:
            text += f"   {float(timeline.pts_seconds(frame_index)):.2f} s"
        parts = [blended.label(frame_index), text]
        if len(self._mappers) == 1:
            return parts
        layer = series.layer
        if len(layer) > MAX_LAYER_LETTERS:  # names differ at their end
            layer = ELLIPSIS + layer[-MAX_LAYER_LETTERS + 1 :]
        return [*parts, f"{series.method} {layer}"]
