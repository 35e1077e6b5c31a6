"""Networks with biases at places that FullGrad has to find, or has to refuse."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Grid = Callable[[Tensor], Tensor]


class Head(nn.Module):
    """A nonlinear head behind the mean over the grid."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, 3)

    def scores(self, grid: Tensor) -> Tensor:
        """(N, 3) of (N, K, T', H', W')."""
        return self.fc(grid.tanh().mean((2, 3, 4)))


class FramesAndClips(Head):
    """Frames as samples, half as many behind a pooling over time, then a clip; all with biases."""

    def __init__(self) -> None:
        super().__init__()
        self.frame, self.norm = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4)
        self.pair = nn.Conv2d(4, 4, 3, 2, 1)
        self.clip, self.up = nn.Conv3d(4, 4, 3, 1, 1), nn.ConvTranspose3d(4, 4, 2, 2)
        nn.init.normal_(self.norm.bias)
        self.norm.running_mean.normal_()

    def forward(self, x: Tensor) -> Tensor:
        frames = self.norm(self.frame(x.transpose(1, 2).flatten(0, 1))).relu()
        pairs = self.pair(frames.unflatten(0, (-1, 2)).mean(1)).relu()
        grid = pairs.unflatten(0, (len(x), -1)).transpose(1, 2)
        return self.scores(self.up(self.clip(grid).relu()))

    @staticmethod
    def grids(frames: int) -> dict[str, Grid]:
        """Layer -> its output as (N, K, T', H', W'), by hand."""

        def samples(times: int) -> Grid:
            return lambda a: torch.stack([torch.stack([*rows], 1) for rows in a.split(times)])

        def same(a: Tensor) -> Tensor:
            return a

        of_frames, of_pairs = samples(frames), samples(frames // 2)
        return {"frame": of_frames, "norm": of_frames, "pair": of_pairs, "clip": same, "up": same}


class OverPlaces(Head):
    """A two-dimensional convolution over (N, C, T, H W), as in some temporal modules."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.time = nn.Conv3d(3, 4, 3, (1, 2, 2), 1), nn.Conv2d(4, 4, (3, 1), 1, (1, 0))

    def forward(self, x: Tensor) -> Tensor:
        grid = self.first(x).relu()
        return self.scores(self.time(grid.flatten(3)).unflatten(3, grid.shape[3:]))


class FrameLoop(Head):
    """Calls its convolution once for every frame."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(torch.stack([self.conv(frame) for frame in x.unbind(2)], 2))


class TimeFirst(Head):
    """Frames as samples, those of the first time of all clips first."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        frames = self.conv(x.permute(2, 0, 1, 3, 4).flatten(0, 1))
        return self.scores(frames.unflatten(0, (-1, len(x))).permute(1, 2, 0, 3, 4))


class WithPositions(Head):
    """Adds to its grid what a convolution makes of learned numbers, whatever the clip is."""

    def __init__(self, positions: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3, (1, 2, 2), 1)
        self.numbers, self.position = nn.Parameter(torch.randn(1, 2, 4, 6, 6)), nn.Conv3d(2, 4, 1)
        self.positions = positions

    def forward(self, x: Tensor) -> Tensor:
        grid = self.conv(x)
        return self.scores(grid + self.position(self.numbers) if self.positions else grid)


class PartlyDetached(WithPositions):
    """One of two convolutions of the clip has no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Conv3d(3, 4, 3, (1, 2, 2), 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(self.conv(x) + self.second(x.detach()))
