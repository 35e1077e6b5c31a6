"""Captions of the overlays: class, score, time; method and layer where there are several maps."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

import video_cam
from video_cam import Explanation
from video_cam.config import RenderConfig
from video_cam.models.registry import UNTRAINED
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.captions import Caption
from video_cam.rendering.panels import PanelDrawer

FRAME = np.full((256, 256, 3), 120, np.uint8)


def drawer(explanation: Explanation) -> PanelDrawer:
    return PanelDrawer(BlendedMaps(explanation), RenderConfig())


def test_one_map_has_class_score_and_time(explanation: Explanation) -> None:
    one = replace(explanation, maps=explanation.maps[:1])
    (panels,) = drawer(one).draw(20, FRAME, with_heat=False)
    score = BlendedMaps(one)[0].score(20)
    assert panels.caption == Caption((one.maps[0].label, f"{score:.0%}   1.25 s"))


def test_several_maps_have_method_and_the_end_of_a_long_layer_name(explanation) -> None:
    name = "features.denseblock4.denselayer16.conv2"
    maps = (replace(explanation.maps[0], layer=name), *explanation.maps[1:])
    rows = drawer(replace(explanation, maps=maps)).draw(0, FRAME, with_heat=False)
    ends = [panels.caption.parts[2] for panels in rows]
    assert ends[:2] == ["gradcam …ock4.denselayer16.conv2", "layercam layer4"]


def test_an_unseen_frame_and_an_untrained_network_are_named(explanation) -> None:
    series = replace(explanation.maps[0], values=explanation.maps[0].values[:1])
    untrained = replace(
        explanation,
        model=replace(explanation.model, trained=False),
        frame_indices=explanation.frame_indices[:1],
        probabilities=explanation.probabilities[:1],
        maps=(series,),
    )
    (panels,) = drawer(untrained).draw(30, FRAME, with_heat=False)
    assert panels.caption == Caption((series.label, "not seen   1.88 s"), UNTRAINED)


def test_a_still_image_has_no_time(bundled, tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "still.png"), np.full((64, 64, 3), 128, np.uint8))
    explanation = video_cam.explain(tmp_path / "still.png", bundled)
    video_cam.render(tmp_path / "still.png", explanation, tmp_path / "out")
    (panels,) = drawer(explanation).draw(0, np.full((64, 64, 3), 128, np.uint8), with_heat=False)
    assert panels.caption.parts[1].endswith("%")
    facts = (tmp_path / "out" / "index.html").read_text().split('class="facts">')[1]
    assert facts.split("</p>")[0].rstrip().endswith("1 frame")


def test_the_heat_map_is_drawn_only_where_it_is_needed(explanation: Explanation) -> None:
    for with_heat in (True, False):
        for row in drawer(explanation).draw(13, FRAME, with_heat):
            assert row.source is FRAME
            assert (row.heat is FRAME) is not with_heat
            assert (row.overlay != FRAME).any()


@pytest.mark.parametrize("hot_row", [0, 3])
def test_the_caption_of_a_small_clip_lies_where_there_is_less_heat(
    explanation: Explanation, hot_row: int
) -> None:
    values = np.zeros_like(explanation.maps[0].values)
    values[:, :, hot_row] = 1
    small = replace(
        explanation,
        clip=replace(explanation.clip, width=96, height=64),
        maps=(replace(explanation.maps[0], values=values),),
    )
    (panels,) = drawer(small).draw(10, FRAME, with_heat=False)
    assert panels.caption.at_top == (hot_row == 3)
    (large,) = drawer(replace(small, clip=explanation.clip)).draw(10, FRAME, with_heat=False)
    assert not large.caption.at_top
