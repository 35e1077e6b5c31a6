"""Random small networks of many kinds, with the right grid of each layer known from their making.

``generate(seed)`` draws a network, an input, and for some of its layers the function that brings
their output to (N, K, T', H', W'), or None for an output that has no such grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from tests.support.generated_tokens import DividedAttention, Grid, TokenNetwork, TokensOfTimes

Truth = Callable[[Tensor], Tensor] | None


@dataclass(frozen=True)
class Generated:
    """A drawn network.

    Attributes:
        kind: what it is like.
        network: in evaluation mode, float64.
        x: its input, a clip (1, 3, T, H, W) or a list of clips.
        truths: layer -> its output as (N, K, T', H', W'), None where that does not exist.
    """

    kind: str
    network: nn.Module
    x: Any
    truths: dict[str, Truth]


def generate(seed: int) -> Generated:
    """A network that depends on the seed alone; the global random state is kept."""
    random = Random(seed)
    size = (random.choice([4, 8]), random.choice([32, 48]), random.choice([32, 48, 64]))
    kind = random.choice(list(_KINDS))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network, truths = _KINDS[kind](random, size)
        x: Any = torch.randn(1, 3, *size).double()
    if kind == "pathways in a list":
        x = [x[:, :, :: network.stride], x]
    return Generated(kind, network.double().eval(), x, truths)


def as_it_is(output: Tensor) -> Tensor:
    return output


def in_time(output: Tensor) -> Tensor:
    """(N, K, T')."""
    return output[..., None, None]


def _frames(frames: int) -> Truth:
    return lambda output: output.unflatten(0, (-1, frames)).transpose(1, 2)


class Head(nn.Module):
    """From a grid to scores, in one of several ways."""

    def __init__(self, random: Random, channels: int) -> None:
        super().__init__()
        self.kind = random.choice(["mean", "max", "two layers", "classes and time", "softplus"])
        classes = random.choice([2, 5, 8, 16, 27])
        self.hidden = nn.Linear(channels, 16 if self.kind == "two layers" else channels)
        if self.kind == "classes and time":
            self.time = nn.Conv1d(channels, classes, 1)
        self.fc = nn.Linear(self.hidden.out_features, classes)

    def forward(self, grid: Tensor) -> Tensor:
        if self.kind == "classes and time":  # (N, classes, T'), then its mean
            return self.time(grid.mean((3, 4))).mean(2)
        pooled = grid.amax((2, 3, 4)) if self.kind == "max" else grid.mean((2, 3, 4))
        if self.kind == "two layers":
            pooled = self.hidden(pooled).tanh()
        return self.fc(nn.functional.softplus(pooled) if self.kind == "softplus" else pooled)

    def truths(self, prefix: str, cells: int) -> dict[str, Truth]:
        has_time = self.kind == "classes and time" and cells > 1
        return {f"{prefix}.time": in_time} if has_time else {}


class Convolutions(nn.Module):
    """Convolutions, pooling and norms; ``time_last``: over (N, C, H, W, T)."""

    def __init__(self, random: Random, size: Grid, time_last: bool = False) -> None:
        super().__init__()
        self.time_last = time_last
        layers: list[nn.Module] = []
        channels, self.cells = 3, list(size)
        for _ in range(random.choice([1, 2, 3])):
            out, kernel = random.choice([4, 8, 16]), random.choice([1, 3])
            steps = [random.choice([1, 2]) if self.cells[0] > 2 else 1, 2, 2]
            t, h, w = (steps[1], steps[2], steps[0]) if time_last else steps
            layers.append(nn.Conv3d(channels, out, kernel, (t, h, w), kernel // 2))
            layers.append(random.choice([nn.ReLU(), nn.ELU(), nn.BatchNorm3d(out)]))
            self.cells = [-(-n // step) for n, step in zip(self.cells, steps, strict=True)]
            channels = out
        if random.random() < 0.3 and not time_last:
            layers.append(nn.MaxPool3d((1, 2, 2)))
        self.layers = nn.Sequential(*layers)
        self.head = Head(random, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(x.permute(0, 1, 3, 4, 2) if self.time_last else x)
        return self.head(x.permute(0, 1, 4, 2, 3) if self.time_last else x)


class Residual(nn.Module):
    """Residual blocks; the last one may halve the time."""

    def __init__(self, random: Random, size: Grid) -> None:
        super().__init__()
        self.stem = nn.Conv3d(3, 8, 3, (1, 4, 4), 1)
        self.blocks = nn.ModuleList(_Block(8) for _ in range(random.choice([1, 2])))
        self.head = Head(random, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv3d(channels, channels, 3, 1, 1), nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.norm(self.conv(x))).relu()


class FrameFeatures(nn.Module):
    """Convolutions on single frames; then a temporal convolution, a mixer, or the mean."""

    def __init__(self, random: Random, size: Grid) -> None:
        super().__init__()
        channels = random.choice([16, 27, 64])
        self.conv = nn.Conv2d(3, channels, 8, 8)
        self.then = random.choice(["convolution", "transformer", "mean"])
        if self.then == "convolution":
            self.time = nn.Sequential(nn.Conv1d(channels, channels, 3, padding=1), nn.Tanh())
        if self.then == "transformer":
            layer = nn.TransformerEncoderLayer(16, 2, 16, 0.0, batch_first=True)
            self.time = nn.Sequential(nn.Linear(channels, 16), layer)
        self.fc = nn.Linear(16 if self.then == "transformer" else channels, 5)

    def forward(self, x: Tensor) -> Tensor:
        frames = self.conv(x.transpose(1, 2).flatten(0, 1)).tanh().mean((2, 3))
        frames = frames.unflatten(0, (len(x), -1))  # (N, T, K)
        if self.then == "convolution":
            return self.fc(self.time(frames.mT).mean(2))
        return self.fc((self.time(frames) if self.then == "transformer" else frames).mean(1))


class PooledFrames(nn.Module):
    """Frames as samples, of which every two become one, as in TSM with pooling over time."""

    def __init__(self, random: Random, size: Grid) -> None:
        super().__init__()
        self.pooled = random.choice([2, size[0] // 2])
        self.first = nn.Conv2d(3, 8, 4, 4)
        self.second = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1), random.choice([nn.ReLU(), nn.ELU()]))
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        frames = self.first(x.transpose(1, 2).flatten(0, 1)).tanh()
        times = self.second(frames.unflatten(0, (-1, self.pooled)).mean(1))
        return self.fc(times.mean((2, 3)).unflatten(0, (len(x), -1)).mean(1))


class PartsAsSamples(nn.Module):
    """Parts of the picture as samples, as many as frames or fewer, each with all frames at once."""

    def __init__(self, random: Random, size: Grid) -> None:
        super().__init__()
        self.parts = random.choice([(2, 2), (1, 2), (2, 1)])
        self.conv = nn.Conv2d(3 * size[0], 8, 8, 8)
        self.then = random.choice([nn.ReLU(), nn.Tanh()])
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        down, across = self.parts
        parts = x.flatten(1, 2).unflatten(2, (down, -1)).unflatten(4, (across, -1))
        parts = self.then(self.conv(parts.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)))
        return self.fc(parts.mean((2, 3)).unflatten(0, (len(x), -1)).mean(1))


class ChannelsLast(nn.Module):
    """Norms and linear layers over (N, T', H', W', K), as in Swin."""

    def __init__(self, random: Random, size: Grid) -> None:
        super().__init__()
        self.patches = nn.Conv3d(3, 16, (2, 8, 8), (2, 8, 8))
        self.norm, self.mlp = nn.LayerNorm(16), nn.Linear(16, random.choice([4, 6, 24]))
        self.fc = nn.Linear(self.mlp.out_features, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.patches(x).permute(0, 2, 3, 4, 1))
        return self.fc(self.mlp(x).tanh().mean((1, 2, 3)))


class Pathways(nn.Module):
    """A slow and a fast pathway; of a list, or cut from one clip."""

    def __init__(self, random: Random, listed: bool) -> None:
        super().__init__()
        self.listed, self.stride = listed, random.choice([1, 2])
        self.slow = nn.Sequential(nn.Conv3d(3, 8, (1, 8, 8), (1, 8, 8)), nn.ReLU())
        self.fast = nn.Sequential(nn.Conv3d(3, 4, (1, 4, 4), (1, 8, 8)), nn.ReLU())
        self.fc = nn.Linear(12, 5)

    def forward(self, x: Any) -> Tensor:
        slow, fast = x if self.listed else (x[:, :, :: self.stride], x)
        pooled = [self.slow(slow).mean((2, 3, 4)), self.fast(fast).mean((2, 3, 4))]
        return self.fc(torch.cat(pooled, 1))


def _convolutions(random: Random, size: Grid) -> tuple[nn.Module, dict[str, Truth]]:
    network = Convolutions(random, size)
    truths: dict[str, Truth] = {f"layers.{i}": as_it_is for i in range(len(network.layers))}
    return network, truths | {"layers": as_it_is} | network.head.truths("head", network.cells[0])


def _time_last(random: Random, size: Grid) -> tuple[nn.Module, dict[str, Truth]]:
    network = Convolutions(random, size, time_last=True)
    return network, {"layers": lambda output: output.permute(0, 1, 4, 2, 3)}


def _residual(random: Random, size: Grid) -> tuple[nn.Module, dict[str, Truth]]:
    network = Residual(random, size)
    truths = dict.fromkeys(["stem", "blocks.0", "blocks.0.conv"], as_it_is)
    return network, truths | network.head.truths("head", size[0])


def _frame_features(random: Random, size: Grid) -> tuple[nn.Module, dict[str, Truth]]:
    network = FrameFeatures(random, size)
    truths: dict[str, Truth] = {"conv": _frames(size[0])}
    if network.then == "convolution":
        truths |= {"time": in_time, "time.0": in_time, "time.1": in_time}
    if network.then == "transformer":
        truths |= {"time": lambda output: in_time(output.mT)}
    return network, truths


def _tokens(random: Random, size: Grid) -> tuple[nn.Module, dict[str, Truth]]:
    network = TokenNetwork(random, size)
    names = ["blocks.0", "blocks.0.norm1", "blocks.0.linear2"]
    return network, {"patches": as_it_is} | dict.fromkeys(names, network.grid_of)


def _tokens_of_times(random: Random, size: Grid) -> tuple[nn.Module, dict[str, Truth]]:
    network = TokensOfTimes(random, size)
    return network, dict.fromkeys(["block", "norm"], network.grid_of)


def _pooled_frames(random: Random, size: Grid) -> tuple[nn.Module, dict[str, Truth]]:
    network = PooledFrames(random, size)
    times = _frames(size[0] // network.pooled)
    return network, {"first": _frames(size[0])} | dict.fromkeys(["second", "second.0"], times)


def _divided(random: Random, size: Grid) -> tuple[nn.Module, dict[str, Truth]]:
    network = DividedAttention(random, size)
    return network, {"time": network.grid_of_places, "norm": network.grid_of}


def _parts_as_samples(random: Random, size: Grid) -> tuple[nn.Module, dict[str, Truth]]:
    return PartsAsSamples(random, size), {"conv": None, "then": None}


def _channels_last(random: Random, size: Grid) -> tuple[nn.Module, dict[str, Truth]]:
    network = ChannelsLast(random, size)
    return network, dict.fromkeys(["norm", "mlp"], lambda output: output.movedim(-1, 1))


def _pathways(
    random: Random, size: Grid, listed: bool = False
) -> tuple[nn.Module, dict[str, Truth]]:
    return Pathways(random, listed), dict.fromkeys(["slow", "fast", "fast.0"], as_it_is)


_KINDS: dict[str, Callable[[Random, Grid], tuple[nn.Module, dict[str, Truth]]]] = {
    "convolutions": _convolutions,
    "convolutions over time behind space": _time_last,
    "residual blocks": _residual,
    "frame features": _frame_features,
    "tokens": _tokens,
    "tokens of times": _tokens_of_times,
    "pooled frames": _pooled_frames,
    "divided attention": _divided,
    "parts of the picture as samples": _parts_as_samples,
    "channels behind the grid": _channels_last,
    "pathways": _pathways,
    "pathways in a list": lambda random, size: _pathways(random, size, listed=True),
}
