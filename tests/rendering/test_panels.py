"""Captions of the overlays: class, score, time; method and layer where there are several maps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

import video_cam
from video_cam import Explanation
from video_cam.config import RenderConfig
from video_cam.models.registry import UNTRAINED
from video_cam.rendering import panels
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.panels import PanelDrawer

FRAME = np.full((256, 256, 3), 120, np.uint8)


@pytest.fixture
def captions(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The captions that are drawn, in order."""
    drawn: list[list[str]] = []

    def note(image: np.ndarray, parts: list[str], **_: Any) -> None:
        drawn.append(parts)

    monkeypatch.setattr(panels, "draw_caption", note)
    return drawn


def drawer(explanation: Explanation) -> PanelDrawer:
    return PanelDrawer(BlendedMaps(explanation), RenderConfig())


def test_one_map_has_class_score_and_time(explanation: Explanation, captions) -> None:
    one = replace(explanation, maps=explanation.maps[:1])
    drawer(one).draw(20, FRAME, with_heat=False)
    score = BlendedMaps(one)[0].score(20)
    assert captions == [[one.maps[0].label, f"{score:.0%}   1.25 s"]]


def test_several_maps_have_method_and_the_end_of_a_long_layer_name(explanation, captions) -> None:
    name = "features.denseblock4.denselayer16.conv2"
    maps = (replace(explanation.maps[0], layer=name), *explanation.maps[1:])
    drawer(replace(explanation, maps=maps)).draw(0, FRAME, with_heat=False)
    ends = [parts[2] for parts in captions]
    assert ends[:2] == ["gradcam …ock4.denselayer16.conv2", "layercam layer4"]


def test_an_unseen_frame_and_an_untrained_network_are_named(explanation, captions) -> None:
    series = replace(explanation.maps[0], values=explanation.maps[0].values[:1])
    untrained = replace(
        explanation,
        model=replace(explanation.model, trained=False),
        frame_indices=explanation.frame_indices[:1],
        probabilities=explanation.probabilities[:1],
        maps=(series,),
    )
    drawer(untrained).draw(30, FRAME, with_heat=False)
    assert captions == [[series.label, "not seen   1.88 s"], [UNTRAINED]]


def test_a_still_image_has_no_time(bundled, tmp_path, captions) -> None:
    cv2.imwrite(str(tmp_path / "still.png"), np.full((64, 64, 3), 128, np.uint8))
    explanation = video_cam.explain(tmp_path / "still.png", bundled)
    video_cam.render(tmp_path / "still.png", explanation, tmp_path / "out")
    [[_, text]] = captions
    assert text.endswith("%")
    facts = (tmp_path / "out" / "index.html").read_text().split('class="facts">')[1]
    assert facts.split("</p>")[0].rstrip().endswith("1 frame")


def test_the_heat_map_is_drawn_only_where_it_is_needed(explanation: Explanation) -> None:
    for with_heat in (True, False):
        for row in drawer(explanation).draw(13, FRAME, with_heat):
            assert row.source is FRAME
            assert (row.heat is FRAME) is not with_heat
            assert (row.overlay != FRAME).any()
