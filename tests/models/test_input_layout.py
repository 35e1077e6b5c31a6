"""What a network's forward gets of a clip, and how its outputs come back."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import video_cam
from tests.support.networks import ImageNetwork
from tests.support.user_networks import SMALL_INPUT
from video_cam import UsageError, compute_cams, load_model
from video_cam.models.input_layout import (
    INPUT_LAYOUTS,
    InputLayout,
    adapt_module,
    parse_input_layout,
    pathway_frames,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NCTHW", InputLayout()),
        ("NTCHW", InputLayout("NTCHW")),
        ("frames", InputLayout("frames")),
        ("list", InputLayout("list", (4, 1))),
        ("list:8,1", InputLayout("list", (8, 1))),
        ("list:1", InputLayout("list", (1,))),
    ],
)
def test_layouts_by_name(text: str, expected: InputLayout) -> None:
    assert parse_input_layout(text) == expected
    assert expected.layout in INPUT_LAYOUTS


@pytest.mark.parametrize("text", ["NHWC", "list:0", "list:a", "list:4,", "frames:2"])
def test_unknown_layouts(text: str) -> None:
    with pytest.raises(UsageError, match="unknown layout"):
        parse_input_layout(text)


def test_what_a_forward_gets() -> None:
    x = torch.arange(2 * 3 * 8 * 2 * 2.0).reshape(2, 3, 8, 2, 2)
    assert InputLayout("NCTHW").pack(x) is x
    assert torch.equal(InputLayout("NTCHW").pack(x)[1, 5], x[1, :, 5])
    frames = InputLayout("frames").pack(x)
    assert frames.shape == (16, 3, 2, 2) and torch.equal(frames[8 + 5], x[1, :, 5])
    layout = InputLayout("list", (4, 1))
    slow, fast = layout.pack(x)
    assert torch.equal(slow, x[:, :, [0, 7]]) and torch.equal(fast, x)
    assert layout.pack(x) is not layout.pack(x)


def test_the_frames_of_a_slow_pathway() -> None:
    assert pathway_frames(8, 4).tolist() == [0, 7]
    assert pathway_frames(32, 4).tolist() == [0, 4, 8, 13, 17, 22, 26, 31]
    with pytest.raises(UsageError, match=r"10 frames .* every 4th"):
        pathway_frames(10, 4)


def test_the_frames_of_a_layers_cells() -> None:
    layout = InputLayout("list", (4, 1))
    frames = layout.frames_of(2, 8)
    assert frames is not None and frames.tolist() == [0, 7]
    assert layout.frames_of(8, 8) is None and layout.frames_of(4, 8) is None
    assert InputLayout().frames_of(2, 8) is None


def test_an_adapted_network_shares_its_layers_and_their_names() -> None:
    network = ImageNetwork()
    assert adapt_module(network, InputLayout()) is network
    adapted = adapt_module(network, InputLayout("frames"))
    assert dict(adapted.named_modules()).keys() == dict(network.named_modules()).keys()
    assert adapted.conv is network.conv and type(network) is ImageNetwork
    x = torch.randn(2, 3, 4, 8, 8)
    torch.testing.assert_close(adapted(x)[1, 2], network(x[1:, :, 2])[0])


def test_outputs_that_are_no_row_per_image_are_refused() -> None:
    x = torch.zeros(2, 3, 4, 8, 8)
    layout = InputLayout("frames")
    assert layout.unpack(torch.zeros(8, 5), x).shape == (2, 4, 5)
    maps = {"out": torch.zeros(8, 5, 2, 3), "scale": torch.zeros(3)}
    shapes = {name: tuple(one.shape) for name, one in layout.unpack(maps, x).items()}
    assert shapes == {"out": (2, 4, 5, 2, 3), "scale": (3,)}
    for shape in ((2, 5), (3, 5, 2)):
        with pytest.raises(UsageError, match=r"for 8 images, expected a row of class scores"):
            layout.unpack(torch.zeros(shape), x)


def test_frames_have_their_own_scores_and_the_clip_their_mean(sample_clip: Path) -> None:
    model = load_model(ImageNetwork(), layout="frames", **SMALL_INPUT)
    assert model.framewise
    x = torch.randn(2, 3, 4, 16, 16)
    [cam] = compute_cams(model.module, x, layers=["conv"], targets=[1])
    torch.testing.assert_close(cam.scores, model.module(x).mean(1)[:, 1])
    explanation = video_cam.explain(sample_clip, model, class_ids=[1])
    frame_scores = explanation.maps[0].frame_scores
    assert frame_scores is not None and frame_scores.shape == explanation.frame_indices.shape
    by_index = explanation.scores_of_frames()
    assert by_index[int(explanation.frame_indices[0, 1])] == pytest.approx(
        float(frame_scores[0, 1])
    )
    # Windows of frames that are scored one by one do not overlap, except the last one.
    assert (np.diff(explanation.frame_indices[:, 0])[:-1] >= 4).all()


def test_a_still_image_is_one_frame(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "i.png"), np.full((20, 30, 3), 90, np.uint8))
    model = load_model(ImageNetwork(), layout="frames", **SMALL_INPUT)
    explanation = video_cam.explain(tmp_path / "i.png", model)
    assert explanation.frame_indices.shape == (1, 1) and not explanation.num_padded.any()


class _SlowFast(nn.Module):
    """Two pathways, each a convolution; it writes to the list it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = nn.Conv3d(3, 4, (1, 3, 3), padding=(0, 1, 1))
        self.fast = nn.Conv3d(3, 4, (1, 3, 3), padding=(0, 1, 1))
        self.fc = nn.Linear(8, 3)

    def forward(self, x: list[Tensor]) -> Tensor:
        x[0], x[1] = self.slow(x[0]), self.fast(x[1])
        return self.fc(torch.cat([part.mean((2, 3, 4)) for part in x], 1))


def test_two_pathways_each_with_its_own_frames(sample_clip: Path) -> None:
    model = load_model(_SlowFast(), layout="list:4,1", num_frames=8, size=(16, 16), frame_rate=8)
    layers = model.layers((8, 16, 16), ["slow", "fast"])
    assert [layers.folds[name].grid[0] for name in layers.names] == [2, 8]
    explanation = video_cam.explain(sample_clip, model, layers=["slow", "fast"])
    slow, fast = (series.centres.t for series in explanation.maps)
    np.testing.assert_allclose(slow, [0, 7])  # the frames it got
    np.testing.assert_allclose(fast, np.arange(8), atol=1e-4)  # measured
