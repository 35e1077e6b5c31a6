"""Layers by name, pattern and position, and which of them can be the default."""

from __future__ import annotations

import pytest
from torch import nn

from video_cam import UsageError
from video_cam.layers.layout import Fold
from video_cam.layers.selection import (
    choose_layers,
    convolutions_from_back,
    default_candidates,
    match_layers,
    min_cells_in_time,
)
from video_cam.layers.trace import ModuleOutput


def output(name: str, kind: type = nn.Conv3d, grid: tuple[int, ...] = (2, 4, 4), calls: int = 1):
    return ModuleOutput(name, kind, (1, 8, *grid), None, calls)


# In the order of execution; fc has no grid, and "unused" does not run.
OUTPUTS = [
    output("stem", grid=(4, 8, 8)),
    output("layer1.conv", grid=(4, 8, 8)),
    output("layer1", nn.Sequential, grid=(4, 8, 8)),
    output("shared", nn.ReLU, calls=3),
    output("layer2.conv"),
    output("layer2", nn.Sequential),
    output("last", grid=(1, 4, 4)),
    output("dropout", nn.Dropout3d, grid=(2, 4, 4)),
    ModuleOutput("fc", nn.Linear, (1, 9)),
]
MODULES = {one.name: one for one in OUTPUTS}
FOLDS = {one.name: Fold("first", one.shape[2:]) for one in OUTPUTS if one.name != "fc"}
KNOWN = ["", *MODULES, "unused", "-1x"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["layer2"], ["layer2"]),
        (["layer?"], ["layer1", "layer2"]),
        (["layer*"], ["layer1.conv", "layer1", "layer2.conv", "layer2"]),
        ([-1, "-3"], ["dropout", "layer2"]),
        (["layer2", "layer?", "stem"], ["layer2", "layer1", "stem"]),  # each one once
    ],
)
def test_names_patterns_and_positions(wanted: list, expected: list[str]) -> None:
    assert match_layers(wanted, FOLDS, KNOWN) == tuple(expected)
    assert choose_layers(wanted, MODULES, FOLDS, KNOWN, 4) == tuple(expected)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("layer3", "unknown layer 'layer3': did you mean layer2"),
        (-9, "layer -9 is outside -1 ... -8"),
        ("x*", "no layer with a grid matches 'x*'"),
    ],
)
def test_what_matches_nothing_is_refused(wanted, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        match_layers([wanted], FOLDS, KNOWN)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unused", "returns no tensor in a forward pass, or is never called"),
        ("shared", "runs 3 times in a forward pass"),
        ("fc", r"has no grid of places: its output is \(1, 9\)"),
    ],
)
def test_layers_without_a_map_are_refused(name: str, words: str) -> None:
    assert match_layers([name], FOLDS, KNOWN) == (name,)
    with pytest.raises(UsageError, match=words):
        choose_layers([name], MODULES, FOLDS, KNOWN, 4)


def test_a_layer_that_runs_once_per_frame_gets_its_own_message() -> None:
    one = ModuleOutput("conv", nn.Conv2d, (1, 8, 4, 4), None, calls=4)
    with pytest.raises(UsageError, match="'conv' runs once for each of the 4 frames"):
        choose_layers(["conv"], {"conv": one}, {"conv": Fold("first", (1, 4, 4))}, ["conv"], 4)


def test_a_pattern_matches_a_limited_number_of_layers() -> None:
    folds = {f"block{i}": Fold("first", (2, 4, 4)) for i in range(25)}
    with pytest.raises(UsageError, match="25 layers match 'block\\*': name at most 24"):
        match_layers(["block*"], folds, list(folds))


def test_convolutions_are_counted_from_the_back() -> None:
    assert convolutions_from_back([1, 3, 1], MODULES, FOLDS) == ("last", "layer1.conv")
    for count in (0, 5):
        with pytest.raises(UsageError, match=rf"--conv-backcount {count} is outside 1 \.\.\. 4"):
            convolutions_from_back([count], MODULES, FOLDS)


def test_the_default_is_the_last_layer_with_several_cells_in_time() -> None:
    found = default_candidates(MODULES, FOLDS)
    assert found == ["layer2", "layer2.conv", "layer1", "layer1.conv", "stem", "last"]


def test_of_tokens_only_blocks_and_norms_can_be_the_default() -> None:
    outputs = [
        ModuleOutput("block.query", nn.Linear, (1, 13, 8)),
        ModuleOutput("block.norm", nn.LayerNorm, (1, 13, 8)),
        ModuleOutput("block", nn.Sequential, (1, 13, 8), leaf=False),
    ]
    folds = {one.name: Fold("tokens", (2, 2, 3), extra=1) for one in outputs}
    found = default_candidates({one.name: one for one in outputs}, folds)
    assert found == ["block", "block.norm"]


@pytest.mark.parametrize(("frames", "cells"), [(1, 1), (3, 3), (4, 4), (16, 4)])
def test_min_cells_in_time(frames: int, cells: int) -> None:
    assert min_cells_in_time(frames) == cells
