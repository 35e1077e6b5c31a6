"""What notebooks show: the summary, the page, the example notebook."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.pages import HOSTILE
from video_cam import Explanation, UsageError
from video_cam.config import RenderConfig
from video_cam.rendering import notebook
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.notebook import page_html, show, summary_html
from video_cam.utils.notes import Note
from video_cam.video.clip import Clip

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


def test_the_summary_has_classes_and_a_strip(explanation: Explanation) -> None:
    shown = summary_html(explanation)
    assert explanation.predictions(1)[0].label in shown and "data:image/jpeg;base64," in shown
    gone = replace(explanation, clip=replace(explanation.clip, path=f"/gone/{HOSTILE}"))
    text = summary_html(replace(gone, labels=(HOSTILE,) * 8, notes=(Note(HOSTILE),)))
    assert "data:image" not in text and HOSTILE not in text and "&lt;/script&gt;" in text


def test_scores_that_are_no_probabilities_are_numbers(explanation: Explanation) -> None:
    scores = explanation.probabilities * 20 - 5
    raw = replace(explanation, model=replace(explanation.model, score="raw"), probabilities=scores)
    assert f"<td>{scores.mean(0).max():.3g}</td>" in summary_html(raw)


def test_the_page_opens_outside_of_notebooks(explanation, sample_clip, monkeypatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    show(explanation, sample_clip, colormap="viridis", max_keyframes=1)
    path = Path(opened[0].removeprefix("file://"))
    text = path.read_text()
    path.unlink()
    assert 'id="bytes:clip"' in text and 'id="bytes:maps/0-0"' in text and "src=" not in text
    assert '"colormap":"viridis"' in text
    best = int(BlendedMaps(explanation)[0].mass.argmax())
    assert f'"keyframes":[{best}]' in text and f'id="bytes:keyframes/{best:06d}.jpg"' in text
    assert "1 of the 32 frames that the network was given" in text
    with pytest.raises(UsageError, match="colormap"):
        show(explanation, sample_clip, colormap="nothing")


def test_in_a_notebook_the_page_is_in_the_cell(explanation, monkeypatch) -> None:
    shown: list[Any] = []
    modules = {"IPython": ModuleType("IPython"), "IPython.display": ModuleType("IPython.display")}
    modules["IPython.display"].HTML = str
    modules["IPython.display"].display = shown.append
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(notebook, "_is_notebook", lambda: True)
    monkeypatch.setattr(notebook, "page_html", lambda *_: '<p title="page">')
    monkeypatch.setattr("webbrowser.open", lambda _: pytest.fail("the browser was opened"))
    show(explanation)
    [text] = shown
    assert text.startswith('<div><iframe srcdoc="&lt;p title=&quot;page&quot;&gt;"')


def test_a_clip_that_is_too_large_for_a_cell_is_refused(
    explanation, sample_clip, monkeypatch
) -> None:
    monkeypatch.setattr(notebook, "MAX_SCRIPT_CLIP_BYTES", 100)
    with pytest.raises(UsageError, match="too large"):
        page_html(Clip.open(sample_clip), explanation, RenderConfig())


def test_an_explanation_shows_itself(explanation: Explanation, monkeypatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(notebook, "show", lambda *given, **options: shown.append((given, options)))
    monkeypatch.setattr(notebook, "summary_html", lambda given: f"<p>{given.num_windows}</p>")
    explanation.show("here.mp4", alpha=0.5)
    assert shown == [((explanation, "here.mp4"), {"alpha": 0.5})]
    assert explanation._repr_html_() == "<p>3</p>"


def test_the_example_notebook_runs(tmp_path: Path, monkeypatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parent.parent))
    assert NOTEBOOK.stat().st_size < 300_000
    example = nbformat.read(NOTEBOOK, as_version=4)
    kept = [kinds(cell) for cell in example.cells]
    client = nbclient.NotebookClient(
        example, timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    shown = [kinds(cell) for cell in example.cells]
    assert shown[:-1] == kept[:-1]  # the stored outputs are of these kinds
    assert kept[-1] == []  # the page is large, and not stored
    assert not [o for c in example.cells for o in c.get("outputs", []) if "text" in o]  # warnings
    assert "<iframe srcdoc=" in json.dumps(example.cells[-1].outputs)


def kinds(cell: Any) -> list[str]:
    """The kinds of a cell's outputs."""
    return [kind for output in cell.get("outputs", []) for kind in sorted(output.get("data", {}))]
