"""Figures for papers, what notebooks show, and TensorBoard."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import video_cam
from tests.support.pages import HOSTILE, Rendered
from video_cam import Explanation, UsageError

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


def pictures(figure) -> list[list[np.ndarray]]:
    """The pictures of a figure, row by row."""
    grid = [axes for axes in figure.axes if axes.images]
    columns = len({round(axes.get_position().x0, 3) for axes in grid})
    shown = [np.asarray(axes.images[0].get_array()) for axes in grid]
    return [shown[i : i + columns] for i in range(0, len(shown), columns)]


def test_a_figure_has_keyframes_across_and_maps_down(explanation, sample_clip, tmp_path) -> None:
    figure = video_cam.figure(sample_clip, explanation, tmp_path / "strip.png", frames=[20, 4])
    rows = pictures(figure)
    assert len(rows) == 5 and len(rows[0]) == 2  # the frames, and two layers x two methods
    made = Rendered(sample_clip, explanation, tmp_path)
    np.testing.assert_array_equal(rows[0], made.overlay([4, 20], alpha=0))
    for index, row in enumerate(rows[1:]):
        np.testing.assert_array_equal(row, made.overlay([4, 20], index))
    figure.draw_without_rendering()
    texts = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    assert {"0.25 s", "1.25 s", "heat, 1 = largest in the video"} <= set(texts)
    assert f"{explanation.maps[0].label}\ngradcam\nlayer4" in texts
    assert cv2.imread(str(tmp_path / "strip.png")) is not None
    assert [p.name for p in tmp_path.iterdir()] == ["strip.png"]


def test_which_maps_and_frames(explanation, sample_clip, tmp_path) -> None:
    def rows(**wanted) -> int:
        return len(pictures(video_cam.figure(sample_clip, explanation, source=False, **wanted)))

    assert rows() == 4
    assert rows(methods="layercam") == 2
    assert rows(methods=["layercam"], layers=["layer3"]) == 1
    assert rows(class_ids=explanation.maps[0].class_id) == 4
    for wanted, words in [
        ({"methods": ["eigencam"]}, "method 'eigencam' was not explained; there is gradcam"),
        ({"class_ids": [5]}, "class_id 5"),
        ({"frames": [32]}, "frame 32 lies outside"),
        ({"frames": 0}, "1 or more"),
        ({"frames": []}, "empty"),
        ({"colormap": "jett"}, "did you mean jet"),
        ({"path": tmp_path / "strip.doc"}, "end it in .pdf"),
    ]:
        with pytest.raises(UsageError, match=words):
            video_cam.figure(sample_clip, explanation, **wanted)
    assert not list(tmp_path.iterdir())


def test_the_command_writes_figures(explanation, sample_clip, tmp_path) -> None:
    one = replace(explanation, maps=explanation.maps[:1])
    summary = video_cam.render(sample_clip, one, tmp_path / "out", figure=True, max_keyframes=1)
    assert summary["files"]["figures"] == ["figure.pdf", "figure.png"]
    assert (tmp_path / "out" / "figure.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(tmp_path / "out" / "figure.png") as picture:
        assert picture.width > 1500
    assert "figure.pdf" in (tmp_path / "out" / "index.html").read_text()


def test_an_explanation_shows_itself(explanation: Explanation) -> None:
    shown = explanation._repr_html_()
    assert explanation.predictions(1)[0].label in shown and "data:image/jpeg;base64," in shown
    gone = replace(explanation, clip=replace(explanation.clip, path=f"/gone/{HOSTILE}"))
    text = replace(gone, labels=(HOSTILE,) * 8, notes=(HOSTILE,))._repr_html_()
    assert "data:image" not in text and HOSTILE not in text and "&lt;/script&gt;" in text


def test_the_page_opens_outside_of_notebooks(explanation, sample_clip, monkeypatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    explanation.show(sample_clip, colormap="viridis")
    path = Path(opened[0].removeprefix("file://"))
    text = path.read_text()
    path.unlink()
    assert 'id="bytes:clip"' in text and 'id="bytes:maps/0-0"' in text and "src=" not in text
    with pytest.raises(UsageError, match="colormap"):
        explanation.show(sample_clip, colormap="nothing")


def test_the_example_notebook_runs(monkeypatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parent.parent))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    kept = [kinds(cell) for cell in notebook.cells]
    client = nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    )
    client.execute()
    assert [kinds(cell) for cell in notebook.cells] == kept  # what is in the file is what comes
    assert not [o for c in notebook.cells for o in c.get("outputs", []) if "text" in o]  # warnings
    assert "<iframe srcdoc=" in json.dumps(notebook.cells[-1].outputs)


def kinds(cell) -> list[str]:
    """What a cell puts out, by kind."""
    return [kind for output in cell.get("outputs", []) for kind in sorted(output.get("data", {}))]


class Recorder:
    """A writer that keeps what it is given."""

    def __init__(self) -> None:
        self.calls: dict[str, tuple] = {}

    def add_scalar(self, tag, value, step) -> None:
        self.calls[tag] = (value, step)

    def add_image(self, tag, image, step) -> None:
        self.calls[tag] = (image, step)

    def add_video(self, tag, video, step, fps) -> None:
        self.calls[tag] = (video, step, fps)


def test_tensorboard_gets_scores_strip_and_video(explanation, sample_clip) -> None:
    writer = Recorder()
    video_cam.to_tensorboard(writer, explanation, 7, frames=[4, 20], video=True)
    name, series = f"video_cam/{sample_clip.stem}", explanation.maps[0]
    assert set(writer.calls) == {
        f"{name}/score/{series.label}",
        f"{name}/maps",
        f"{name}/overlay",
    }
    score, step = writer.calls[f"{name}/score/{series.label}"]
    assert (score, step) == (explanation.score(series.class_id), 7)
    image, _ = writer.calls[f"{name}/maps"]
    assert image.shape[0] == 3 and image.dtype == np.uint8 and image.std() > 20
    video, _, rate = writer.calls[f"{name}/overlay"]
    assert video.shape == (1, 32, 3, 256, 256) and rate == 16
    (expected,) = Rendered(sample_clip, explanation, sample_clip).overlay([20])
    np.testing.assert_array_equal(video[0, 20].transpose(1, 2, 0), expected)


def test_torchs_own_writer_takes_it(explanation, tmp_path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        video_cam.to_tensorboard(writer, explanation, 3, frames=2)
    events = EventAccumulator(str(tmp_path)).Reload()
    [score] = events.Scalars(events.Tags()["scalars"][0])
    assert score.step == 3
    assert score.value == pytest.approx(explanation.score(explanation.maps[0].class_id))
    assert len(events.Tags()["images"]) == 1
