"""The timeline: class scores, map mass, contributions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from video_cam import Explanation
from video_cam.explanation.map_series import ClassTarget
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.timeline_plot import draw_timeline, timeline_figure


def labels(panel) -> list[str]:
    return [text.get_text() for text in panel.get_legend().get_texts()]


def test_the_best_classes_have_their_scores_at_the_windows_middles(explanation) -> None:
    scores, *_ = timeline_figure(BlendedMaps(explanation)).axes
    assert labels(scores) == [p.label for p in explanation.predictions(5)]
    line = scores.containers[0].lines[0]
    assert line.get_xdata() == pytest.approx([15 / 32, 31 / 32, 47 / 32])
    best = explanation.predictions(1)[0].class_id
    assert line.get_ydata() == pytest.approx(explanation.probabilities[:, best])
    assert scores.get_ylabel() == "class probability"


def test_the_mass_of_each_target_in_the_first_kind_of_map_is_drawn(explanation) -> None:
    maps = tuple(
        replace(m, target=ClassTarget(c), label=f"${c}$", values=m.values * (c + 1))
        for c in (1, 4)
        for m in explanation.maps
    )
    blended = BlendedMaps(replace(explanation, maps=maps))
    masses = timeline_figure(blended).axes[1]
    assert labels(masses) == [r"\$1\$", r"\$4\$"]
    for line, index in zip(masses.lines, (0, 4), strict=True):
        assert line.get_xdata() == pytest.approx(np.arange(32) / 16)
        assert line.get_ydata() == pytest.approx(blended[index].mass)
    assert masses.get_title("left") == "gradcam of layer4"


def test_complete_maps_have_a_bar_for_each_frame(explanation: Explanation) -> None:
    _, _, contributions = timeline_figure(BlendedMaps(explanation)).axes
    [bars] = contributions.collections
    assert len(bars.get_paths()) == 32
    incomplete = replace(explanation, maps=(replace(explanation.maps[0], bias=None),))
    assert len(timeline_figure(BlendedMaps(incomplete)).axes) == 2


def test_scores_of_single_frames_are_drawn_at_the_frames(explanation: Explanation) -> None:
    frame_scores = np.linspace(0, 1, 3 * 16, dtype=np.float32).reshape(3, 16)
    one = replace(explanation, maps=(replace(explanation.maps[0], frame_scores=frame_scores),))
    scores = timeline_figure(BlendedMaps(one)).axes[0]
    assert scores.lines[0].get_xdata() == pytest.approx(np.arange(32) / 16)


def test_the_png_is_as_large_as_its_panels_and_notes_need(explanation, tmp_path: Path) -> None:
    draw_timeline(tmp_path / "t.png", BlendedMaps(explanation))
    noted = replace(explanation, notes=("a note about this clip",))
    draw_timeline(tmp_path / "n.png", BlendedMaps(noted))
    image, with_note = (cv2.imread(str(tmp_path / name)) for name in ("t.png", "n.png"))
    assert image.shape[1] == 1100 and with_note.shape[0] > image.shape[0] > 700
