"""Networks with more inputs than a clip: the user's function makes their arguments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import video_cam
from tests.support.media import write_clip
from video_cam import ClipError, UsageError, load_model
from video_cam.cli.main import main
from video_cam.video.clip import Clip

INPUT = {"num_frames": 4, "size": (16, 16), "frame_rate": 8}


class Both(nn.Module):
    """Video and sound, as arguments by position or by name."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv3d(3, 4, 3, stride=(1, 2, 2), padding=1)
        self.sound = nn.Conv1d(1, 4, 9, stride=4)
        self.fc = nn.Linear(8, 3)

    def forward(self, video: Tensor, audio: Tensor) -> Tensor:
        seen = self.conv(video).relu().mean((2, 3, 4))
        return self.fc(torch.cat([seen, self.sound(audio).relu().mean(2)], 1))


FILE = """
import torch
CALLS = []
def sound(clip, times):
    # One number per clip, the start of the window: 0 where there is none.
    start = 0.0 if times is None else 1.0 + times[0]
    return torch.full((len(clip), 1, 40), start).to(clip)
def pair(clip, path, times):
    CALLS.append((path, times, tuple(clip.shape)))
    return clip, sound(clip, times)
def named(clip, path, times):
    return {"audio": sound(clip, times), "video": clip}
def refuses(clip, path, times):
    if path is not None:
        raise OSError("no sound in it")
    return pair(clip, path, times)
def needs_a_path(clip, path, times):
    return clip, open(path)
def number(clip, path, times):
    return 3
"""
NETS = """
from tests.models.test_input_factory import Both
def make():
    return Both()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "both.py").write_text(NETS)
    path = tmp_path / "inputs.py"
    path.write_text(FILE)
    return path


@pytest.fixture
def short_clip(tmp_path: Path) -> Path:
    """A short clip, of a few windows."""
    return write_clip(tmp_path / "short.mp4", 12)


@pytest.mark.parametrize("name", ["pair", "named"])
def test_the_function_makes_the_arguments(name: str, file: Path, short_clip: Path) -> None:
    model = load_model(Both(), input_factory=f"{file}:{name}", **INPUT)
    assert model.layer == "conv" and model.max_batch == 1
    explanation = video_cam.explain(short_clip, model, batch_size=4, methods=["gradcam"])
    # Each window's scores are those of its own frames and its own times.
    network = Both().eval()
    clip = Clip.open(short_clip)
    assert explanation.num_windows > 1
    for window, indices in enumerate(explanation.frame_indices.tolist()):
        with clip.frames(indices[0], indices[-1] + 1) as reader:
            frames = {frame.index: model.preprocess.frame(frame.rgb()) for frame in reader}
        x = model.preprocess.tensor(np.stack([frames[i] for i in indices])[None])
        start = 1.0 + float(clip.timeline.pts_seconds(indices[0]))
        with torch.no_grad():
            scores = network(x, torch.full((1, 1, 40), start)).softmax(1)[0]
        assert np.allclose(explanation.probabilities[window], scores.numpy(), atol=1e-5)
    assert np.isfinite(explanation.maps[0].values).all()


def test_what_the_function_gets(short_clip: Path) -> None:
    calls: list[Any] = []

    def inputs(clip: Tensor, path: str | None, times: list[float] | None) -> Any:
        calls.append((path, times, tuple(clip.shape)))
        return clip, clip.new_zeros(len(clip), 1, 40)

    model = load_model(Both(), input_factory=inputs, **INPUT)
    assert {call[:2] for call in calls} == {(None, None)}
    calls.clear()
    explanation = video_cam.explain(short_clip, model, check=False)
    timeline = explanation.timeline
    wanted = [
        [float(timeline.pts_seconds(i)) for i in row] for row in explanation.frame_indices.tolist()
    ]
    with_clip = [call for call in calls if call[0] is not None]
    assert [times for _, times, _ in with_clip] == wanted
    assert {(path, shape) for path, _, shape in with_clip} == {(str(short_clip), (1, 3, 4, 16, 16))}


def test_every_part_that_runs_the_network_calls_it(file: Path, short_clip: Path, tmp_path) -> None:
    status = main(
        [
            *("--clip", str(short_clip), "--output-dir", str(tmp_path / "out")),
            *("--model", f"{tmp_path / 'both.py'}:make", "--input-factory", f"{file}:pair"),
            *("--num-frames", "4", "--size", "16", "--frame-rate", "8", "--align", "half-pixel"),
            *("--method", "gradcam", "ablationcam", "scorecam", "--check", "--sanity"),
            *("--guided", "--smoothgrad", "--motion-test", "--max-keyframes", "2"),
        ]
    )
    assert status == 0
    summary = json.loads((tmp_path / "out" / short_clip.stem / "summary.json").read_text())
    assert summary["motion_test"]["forwards"] == 12
    assert [note["text"] for note in summary["notes"] if "--input-factory" in note["text"]] == [
        "no map of motion: what --input-factory adds belongs to the clip's own times",
        "the motion test alters the clip, and not what --input-factory adds to it",
    ]


@pytest.mark.parametrize("layout", ["NTCHW", "frames"])
def test_the_function_gets_the_layout_of_the_network(layout: str) -> None:
    shapes: list[tuple[int, ...]] = []

    class Images(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Tensor, scale: Tensor) -> Tensor:
            images = x.flatten(0, 1) if x.ndim == 5 else x
            scores = self.fc(self.conv(images).relu().mean((2, 3))) * scale
            return scores.unflatten(0, x.shape[:2]) if x.ndim == 5 else scores

    def inputs(clip: Tensor, path: str | None, times: list[float] | None) -> Any:
        shapes.append(tuple(clip.shape))
        return clip, clip.new_ones(())

    model = load_model(Images(), input_factory=inputs, layout=layout, **INPUT)
    expected = (1, 4, 3, 16, 16) if layout == "NTCHW" else (4, 3, 16, 16)
    # The first runs are those on the network's own input.
    assert shapes[0] == expected and len(model.labels) == 3


def test_a_function_that_fails_for_a_clip_fails_that_clip(file: Path, short_clip: Path) -> None:
    model = load_model(Both(), input_factory=f"{file}:refuses", **INPUT)
    with pytest.raises(ClipError, match=r"inputs\.py:refuses raised OSError: no sound in it$"):
        video_cam.explain(short_clip, model)
    # The window is forgotten, so that the network can be traced for another size.
    assert model.trace((2, 16, 16))


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("{file}:needs_a_path", "needs_a_path raised TypeError: .*once with path and times None"),
        ("{file}:number", "number returned a int, expected a tensor, or a list, tuple or dict"),
        ("{file}:pears", "has no 'pears': did you mean pair"),
        ("missing.py:pair", "no such file: 'missing.py'"),
        ("pair", "'pair' names no function: write file.py:name"),
        (3, "input_factory 3 must be a text or a function"),
    ],
)
def test_a_wrong_function_gets_one_line(factory: Any, words: str, file: Path) -> None:
    factory = factory.format(file=file) if isinstance(factory, str) else factory
    with pytest.raises(UsageError, match=words) as caught:
        load_model(Both(), input_factory=factory, **INPUT)
    assert "\n" not in str(caught.value)


def test_a_forward_with_two_inputs_says_what_to_give() -> None:
    with pytest.raises(UsageError, match=r"takes 2 inputs \(video, audio\).*--input-factory"):
        load_model(Both(), **INPUT)


def test_the_code_of_the_function_is_part_of_the_identity(file: Path) -> None:
    network = f"{file.with_name('both.py')}:make"
    texts = []
    for line in ("", "# changed\n"):
        file.write_text(FILE + line)
        texts.append(load_model(network, input_factory=f"{file}:pair", **INPUT).identity)
    assert texts[0] != texts[1]
    file.write_text(FILE)
    assert load_model(network, input_factory=f"{file}:pair", **INPUT).identity == texts[0]
