"""How layers' outputs fold into grids, from the shapes of traces."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import Tensor, nn

from video_cam.layers.layout import Fold, Layout, folds, layouts
from video_cam.layers.trace import ModuleOutput, trace

SIZE = (4, 32, 48)  # frames, height and width of the input


def fold_of(shape: tuple[int, ...], kind: type = nn.Identity, **options) -> Fold | None:
    """The fold of a single module with this output."""
    grid = options.pop("grid", None)
    return folds([ModuleOutput("one", kind, shape, grid)], SIZE, **options).get("one")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 64, 2, 4, 6), Fold("first", (2, 4, 6))),
        ((1, 2, 4, 6, 64), Fold("last", (2, 4, 6))),
        ((1, 64, 4, 6), Fold("first", (1, 4, 6))),
        ((4, 64, 4, 6), Fold("first", (4, 4, 6), frames=4)),
        ((4, 4, 6, 64), Fold("last", (4, 4, 6), frames=4)),
        ((1, 64, 1, 1, 1), None),  # a single cell in space
        ((1, 64), None),
        ((7, 64, 4, 6), None),  # windows as samples
        ((1, 64, 8, 4, 6), None),  # more cells than frames
    ],
)
def test_grids(shape: tuple[int, ...], expected: Fold | None) -> None:
    assert fold_of(shape) == expected


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((1, 48, 8), {"grid": (2, 4, 6)}, Fold("tokens", (2, 4, 6))),
        ((1, 49, 8), {"grid": (2, 4, 6)}, Fold("tokens", (2, 4, 6), extra=1)),
        # Patches of 16 x 16 pixels over two frames each: 2 x 2 x 3 of them, and a class token.
        ((1, 13, 8), {}, Fold("tokens", (2, 2, 3), extra=1)),
        ((4, 7, 8), {}, Fold("tokens", (4, 2, 3), frames=4, extra=1)),
        ((1, 12, 8), {"space_first": True}, Fold("tokens", (2, 2, 3), space_first=True)),
        ((1, 23, 8), {}, None),
    ],
)
def test_tokens(shape: tuple[int, ...], options: dict, expected: Fold | None) -> None:
    assert fold_of(shape, **options) == expected


@pytest.mark.parametrize(
    ("kind", "shape", "expected"),
    [
        (nn.Conv1d, (1, 24, 4), Fold("time", (4, 1, 1))),  # not 24 tokens of a grid 4x2x3
        (nn.BatchNorm1d, (1, 24, 3), Fold("time", (3, 1, 1))),
        (nn.BatchNorm1d, (1, 24, 9), None),  # more cells than frames
        (nn.Identity, (1, 4, 24), Fold("tokens", (4, 1, 1))),
    ],
)
def test_time_alone(kind: type, shape: tuple[int, ...], expected: Fold | None) -> None:
    found = layouts([ModuleOutput("one", kind, shape)], SIZE)
    assert (expected is None and not found) or expected in found["one"].folds
    if kind is not nn.Identity and found:
        assert found["one"] == Layout((expected,), certain=True)


def test_shapes_leave_the_order_of_tokens_and_the_place_of_extra_ones_open() -> None:
    found = layouts([ModuleOutput("one", nn.Identity, (1, 25, 8), None)], (4, 32, 48))["one"]
    assert not found.certain
    for space_first in (False, True):
        for extra in ((1, 0), (0, 1)):
            fold = Fold("tokens", (4, 2, 3), 0, extra[0], space_first, extra[1])
            assert fold in found.folds


def test_a_known_grid_decides_how_tokens_fold() -> None:
    """96 tokens are 4 x 4 x 6 or 2 x 8 x 6 cells: a convolution before them says which."""
    conv = ModuleOutput("conv", nn.Conv3d, (1, 16, 4, 4, 6))
    tokens = ModuleOutput("tokens", nn.Identity, (1, 96, 16))
    assert folds([conv, tokens], SIZE)["tokens"] == Fold("tokens", (4, 4, 6))


def test_attention_is_no_grid() -> None:
    tokens = ModuleOutput("tokens", nn.Identity, (1, 24, 16))
    weights = ModuleOutput("weights", nn.Identity, (1, 8, 24, 24))
    assert "weights" not in folds([tokens, weights], (4, 64, 64))


def numbered(fold: Fold) -> Tensor:
    """(N = 2, K = 3, T', H', W') whose values tell sample, channel and cell apart."""
    shape = (2, 3, *fold.grid)
    return torch.arange(torch.Size(shape).numel()).reshape(shape)


@pytest.mark.parametrize(
    ("fold", "unfold"),
    [
        (Fold("first", (2, 3, 4)), lambda g: g),
        (Fold("first", (1, 3, 4)), lambda g: g[:, :, 0]),
        (Fold("last", (2, 3, 4)), lambda g: g.permute(0, 2, 3, 4, 1)),
        (Fold("first", (2, 3, 4), frames=2), lambda g: g.transpose(1, 2).flatten(0, 1)),
        (Fold("last", (2, 3, 4), frames=2), lambda g: g.permute(0, 2, 3, 4, 1).flatten(0, 1)),
        (Fold("time", (2, 1, 1)), lambda g: g[..., 0, 0]),
        (Fold("tokens", (2, 3, 4)), lambda g: g.flatten(2).mT),
        (
            Fold("tokens", (2, 3, 4), extra_behind=2),
            lambda g: torch.cat([g.flatten(2).mT, -torch.ones(2, 2, 3).long()], 1),
        ),
        (
            Fold("tokens", (2, 3, 4), extra=2),
            lambda g: torch.cat([-torch.ones(2, 2, 3).long(), g.flatten(2).mT], 1),
        ),
        (
            Fold("tokens", (2, 3, 4), frames=2),
            lambda g: g.permute(0, 2, 3, 4, 1).flatten(0, 1).flatten(1, 2),
        ),
        (
            Fold("tokens", (2, 3, 4), space_first=True),
            lambda g: g.permute(0, 3, 4, 2, 1).flatten(1, 3),
        ),
    ],
)
def test_a_fold_puts_every_element_in_its_cell(fold: Fold, unfold) -> None:
    grid = numbered(fold)
    assert torch.equal(fold(unfold(grid)), grid)


@pytest.mark.parametrize(
    ("build", "layer", "size"),
    [(torchvision.models.mobilenet_v2, "features.3", (128, 171)),
     (torchvision.models.efficientnet_b0, "features.2", (128, 171)),
     (torchvision.models.swin_t, "features.3", (128, 171))],
)  # fmt: skip
def test_layouts_of_oblong_images(build, layer: str, size: tuple[int, int]) -> None:
    with torch.device("meta"):
        network = build()
    modules = trace(network.eval(), torch.zeros(1, 3, *size)).modules
    fold = folds(modules.values(), (1, *size))[layer]
    expected = ("last", (1, 16, 21)) if "swin" in build.__name__ else ("first", (1, 32, 43))
    assert (fold.axes, fold.grid) == expected


def test_a_block_has_the_layout_of_the_convolution_in_it() -> None:
    """(1, 16, 4, 7, 13): without the convolution, channels could be last, in 16 x 4 x 7 cells."""
    size = (128, 224, 416)
    conv = ModuleOutput("conv", nn.Conv3d, (1, 16, 4, 7, 13))
    block = ModuleOutput("block", nn.Sequential, (1, 16, 4, 7, 13))
    assert folds([conv, block], size)["block"] == Fold("first", (4, 7, 13))
