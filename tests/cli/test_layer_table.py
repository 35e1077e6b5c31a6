"""What --list-layers prints of the resolution of layers, in numbers and in words."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from video_cam import UsageError, load_model
from video_cam.cli.layer_table import (
    Resolution,
    advice,
    describe_time_resolution,
    layer_table,
)
from video_cam.config import ExplainConfig
from video_cam.video.clip import Clip


@pytest.mark.parametrize(
    ("cells", "spacing", "width", "frames", "words"),
    [
        (2, 8, 13, 16, "cannot tell frame 3 from frame 11"),
        (4, 4, 9.5, 16, "cannot tell frame 5 from frame 9"),
        (4, 4, 14, 16, "cannot tell frame 4 from frame 11"),
        (16, 1, 2.7, 16, "each frame from the one after the next"),
        (1, 16, 16, 16, "cannot tell any two"),
        (1, 1, 1, 1, "one frame"),
    ],
)
def test_the_resolution_in_words(
    cells: int, spacing: float, width: float, frames: int, words: str
) -> None:
    assert words in describe_time_resolution(Resolution(cells, spacing, width), frames)


def resolutions(t: int, side: int) -> list[Resolution]:
    return [Resolution(n, 16 / n, 4.0) for n in (t, side, side)]


@pytest.mark.parametrize(
    ("table", "where", "own", "when"),
    [
        (
            {"layer3": resolutions(4, 14), "layer4": resolutions(2, 7), "p": resolutions(1, 1)},
            "layer4",
            "layer3",
            "layer3",
        ),
        ({"layer3": resolutions(4, 8), "layer4": resolutions(4, 2)}, "layer3", "layer4", "layer4"),
        ({"layer3": resolutions(2, 8)}, "layer3", "layer3", "no layer"),
    ],
)
def test_the_layers_to_use_are_named(table, where: str, own: str, when: str) -> None:
    said = list(advice(table, "layer3", own, (16, 112, 112)))
    assert said[1].startswith("layer3: it cannot tell")
    assert said[2].startswith(f"for where, use {where}: its cells are ")
    assert when in said[3]


@pytest.mark.parametrize(("cells", "when"), [(2, "1"), (4, "2")])
def test_the_layer_for_when_is_the_last_with_enough_cells(cells: int, when: str) -> None:
    """The advice, the mark in the table and the meaning of --layer when agree."""
    network = nn.Sequential(
        nn.Conv3d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv3d(4, 4, 3, stride=(16 // cells, 4, 4), padding=1),
        nn.Flatten(),
        nn.Linear(4 * cells * 16, 3),
    )
    model = load_model(network, num_frames=16, size=(16, 16), frame_rate=8)
    assert (model.layer, model.when) == ("2", when)
    assert model.layers((16, 16, 16), ["when"]).names == (when,)


def test_the_table_of_the_bundled_network(bundled, sample_clip) -> None:
    before = torch.random.get_rng_state()
    lines = list(layer_table(Clip.open(sample_clip), bundled, ExplainConfig()))
    [default] = [line for line in lines if "<- default" in line]
    name, *_, cells, spacing, width, apart, seen = default.replace("<- default", "").split()
    assert (name, cells, spacing, apart) == ("layer4", "4,", "4.0,", "16.0,")
    # A receptive field is larger than a cell and smaller than the clip.
    assert 4 < float(width) < 16 and 16 < float(seen) < 64
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_network_without_a_grid_has_no_table(sample_clip) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 2 * 8 * 8, 4))
    model = load_model(network, num_frames=2, size=(8, 8))
    with pytest.raises(UsageError, match=r"no layer .* grid of places: --method occlusion or rise"):
        next(layer_table(Clip.open(sample_clip), model, ExplainConfig()))
