"""A network that fails on its input: where, on which shape, and the option that fits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.unfitting_networks import line_of, write_unfitting_networks
from video_cam import UsageError, load_model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_unfitting_networks(tmp_path)


def message_for(file: Path, name: str, **options: object) -> str:
    """The error of loading a network, one line."""
    with pytest.raises(UsageError) as error:
        load_model(f"{file}:{name}", **options).layers((16, 112, 112))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_line_the_shape_and_the_size(file: Path) -> None:
    line = line_of(file, "features.flatten(1)")
    assert message_for(file, "Flat", num_frames=16) == (
        "the network does not run on an input of (1, 3, 16, 224, 224): "
        f"unfitting.py:{line} in forward: mat1 and mat2 shapes cannot be multiplied "
        "(1x12544 and 3136x3); it works with --size 112"
    )


@pytest.mark.parametrize(
    ("name", "options", "remedy"),
    [
        ("TimeFirst", {"size": (112, 112)}, "it works with --layout-in NTCHW"),
        ("Flat", {"size": (112, 112), "layout": "NTCHW"}, "it works with --layout-in NCTHW"),
        ("EightFrames", {}, "it works with --num-frames 8"),
        ("Flat", {"size": (112, 112), "num_frames": 8}, "it works with --num-frames 16"),
        ("TimeFirst", {}, "it works with --layout-in NTCHW --size 112"),
    ],
)
def test_the_options_that_fit(file: Path, name: str, options: dict, remedy: str) -> None:
    message = message_for(file, name, **options)
    assert message.endswith(f"; {remedy}")


def test_a_network_that_mixes_clips_silently(file: Path) -> None:
    """``view(-1, ...)`` makes several rows of a clip that is too large."""
    message = message_for(file, "View")
    assert message == (
        "the network's output is (4, 3) for 1 clip: its first axis is another; it works with "
        "--size 112"
    )


@pytest.mark.parametrize("name", ["Skeleton", "OfFeatures"])
def test_networks_over_other_inputs(file: Path, name: str) -> None:
    message = message_for(file, name)
    assert "unfitting.py:" in message
    assert "one of features or skeletons is not" in message
    assert "docs/your-own-network.md" in message


def test_frames_are_not_taken_for_channels(file: Path) -> None:
    assert "it works with" not in message_for(file, "TwelveChannels", size=(112, 112))


def test_a_network_with_a_second_input(file: Path) -> None:
    message = message_for(file, "WithSound")
    assert (
        "forward takes 2 inputs (video, sound), and a clip is one: give --input-factory" in message
    )


def test_scores_without_gradient(file: Path) -> None:
    size = {"size": (112, 112)}
    assert "which have no gradient: return the scores" in message_for(file, "Argmax", **size)
    message = message_for(file, "Decorated", **size)
    assert "they have no gradient" in message and "torch.no_grad()" in message


def test_memory_that_is_not_sufficient_stays_what_it_is(file: Path) -> None:
    class Full(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        load_model(Full())
