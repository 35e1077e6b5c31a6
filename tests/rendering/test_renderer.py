"""The folder of a clip: its files, its summary, what is refused."""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import video_cam
from tests.support.media import write_clip
from video_cam import Explanation, UsageError
from video_cam.config import RenderConfig
from video_cam.explanation.blending import WindowBlender
from video_cam.rendering import blended_maps
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.frame_choice import saved_keyframes
from video_cam.rendering.panels import PanelDrawer, Panels
from video_cam.rendering.renderer import render_with
from video_cam.video import memory
from video_cam.video.clip import Clip


def test_the_files_of_the_contract_are_there(results: Path) -> None:
    found = {p.name for p in results.iterdir()}
    assert found >= {
        "annotated.mp4",
        "comparison.png",
        "keyframes",
        "contact_sheet.jpg",
        "timeline.png",
        "index.html",
        "explanation.npz",
        "summary.json",
    }
    assert not [p for p in results.parent.iterdir() if p.name.startswith(".")]


def test_the_saved_explanation_is_the_one_that_was_drawn(results: Path, explanation) -> None:
    saved = Explanation.load(results / "explanation.npz")
    for one, other in zip(saved.maps, explanation.maps, strict=True):
        np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize(
    ("num_frames", "size"), [(32, (48, 64)), (31, (256, 256))], ids=["size", "frames"]
)
def test_another_clip_is_refused(num_frames, size, explanation, tmp_path) -> None:
    pictures = [np.zeros((*size, 3), np.uint8)] * num_frames
    clip = write_clip(tmp_path / "v.mp4", pictures, time_base=explanation.timeline.time_base)
    with pytest.raises(UsageError, match="is not the clip that was explained"):
        video_cam.render(clip, explanation, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["v.mp4"]


def test_an_unknown_option_is_refused(explanation, sample_clip, tmp_path) -> None:
    with pytest.raises(UsageError, match="did you mean colormap"):
        video_cam.render(sample_clip, explanation, tmp_path / "out", colourmap="jet")
    assert not list(tmp_path.iterdir())


def test_extra_files_of_keyframes_move_into_the_results(explanation, sample_clip, tmp_path) -> None:
    first, last = saved_keyframes(BlendedMaps(explanation), 2)
    extra = tmp_path / "extra"
    kept = [f"smoothgrad/{last:06d}.png", f"guided/{first:06d}.png", f"guided/{last:06d}.png"]
    for name in (*kept, f"guided/{first + 1:06d}.png"):
        (extra / name).parent.mkdir(parents=True, exist_ok=True)
        (extra / name).write_text(name)
    config, marks = RenderConfig(max_keyframes=2), {"fingerprint": "f"}
    clip = Clip.open(sample_clip)
    summary = render_with(
        clip, explanation, tmp_path / "out", config, extra_files=extra, extra_summary=marks
    )
    assert summary["files"]["smoothgrad"] + summary["files"]["guided"] == kept
    assert len(list((tmp_path / "out" / "guided").iterdir())) == 2
    assert (tmp_path / "out" / kept[1]).read_text() == kept[1]
    assert not list(extra.iterdir())
    written = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert written["files"] == summary["files"] and written["fingerprint"] == "f"
    assert kept[2] in (tmp_path / "out" / "index.html").read_text()


def test_rendering_opens_the_clip_once_blends_each_map_once_and_runs_no_network(
    explanation, sample_clip, tmp_path, monkeypatch
) -> None:
    opened, blended = [], []
    probe, at = sys.modules["video_cam.video.clip"].probe, WindowBlender.at
    monkeypatch.setattr(
        "video_cam.video.clip.probe",
        lambda path, *others: opened.append(path) or probe(path, *others),
    )
    monkeypatch.setattr(WindowBlender, "at", lambda *given: blended.append(given) or at(*given))
    monkeypatch.setattr(torch.nn.Module, "__call__", lambda *_: pytest.fail("the network was run"))
    two = replace(explanation, maps=explanation.maps[1:3])
    video_cam.render(sample_clip, two, tmp_path / "out", figure=True, max_keyframes=2)
    assert opened.count(sample_clip) == 1
    assert len(blended) == 32 * 2


def test_frames_drawn_side_by_side_give_the_same_files(
    explanation: Explanation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Cells that are not kept are blended in the threads that draw.
    monkeypatch.setattr(blended_maps, "MAX_KEPT_BYTES", 0)
    threads: set[int] = set()
    draw = PanelDrawer.draw

    def recorded(*arguments: object) -> list[Panels]:
        threads.add(threading.get_ident())
        time.sleep(0.002)  # so that no thread draws all frames
        return draw(*arguments)

    monkeypatch.setattr(PanelDrawer, "draw", recorded)
    pictures = {}
    for number in (1, 4):
        buffers = replace(memory.FASTEST, drawing_threads=number)
        monkeypatch.setattr(memory, "BUFFERS", (buffers,))
        threads.clear()
        out = tmp_path / str(number)
        clip = Clip.open(explanation.clip.path)
        render_with(clip, explanation, out, RenderConfig(max_keyframes=3))
        assert len(threads) == number
        pictures[number] = {
            path.relative_to(out): path.read_bytes()
            for path in out.rglob("*")
            if path.suffix in (".mp4", ".jpg") or path.parent.name == "keyframes"
        }
    assert len(pictures[1]) > 6 and pictures[1] == pictures[4]
