"""Small networks whose layers put out something else than (N, K, T', H', W')."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TemporalConvolution(nn.Module):
    """Frame features, then convolutions over (N, C, T) with 64 channels, as many as 4x4x4 cells."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = nn.Conv2d(3, 64, 8, 8)
        self.time = nn.Sequential(nn.Conv1d(64, 64, 3, padding=1), nn.ReLU())
        self.fc = nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        frames = self.frames(x.transpose(1, 2).flatten(0, 1)).mean((2, 3))
        return self.fc(self.time(frames.unflatten(0, (len(x), -1)).mT).mean(2))


class Tokens(nn.Module):
    """Patches as tokens in any order, with extra tokens on either side, and one block."""

    def __init__(
        self,
        space_first: bool = False,
        before: int = 0,
        behind: int = 0,
        pooled: bool = True,
        patch: int = 8,
    ) -> None:
        super().__init__()
        self.space_first, self.before, self.pooled = space_first, before, pooled
        self.patches = nn.Conv3d(3, 16, (2, patch, patch), (2, patch, patch))
        self.extra = nn.ParameterList([torch.randn(1, n, 16) for n in (before, behind)])
        self.block = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.fc = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        grid = self.patches(x)
        if self.space_first:
            grid = grid.permute(0, 1, 3, 4, 2)
        before, behind = (one.expand(len(x), -1, -1) for one in self.extra)
        tokens = self.block(torch.cat([before, grid.flatten(2).mT, behind], 1))
        return self.fc(tokens.mean(1) if self.pooled else tokens[:, 0])


class TokensOfTimes(nn.Module):
    """Attention within each time of two frames; then scores from the mean, or a block over time.

    ``apart``: the times have an axis of their own in front of the tokens', else they are samples.
    """

    def __init__(self, apart: bool = False, before: int = 0, over_time: bool = False) -> None:
        super().__init__()
        self.apart, self.over_time = apart, over_time
        self.patches = nn.Conv3d(3, 16, (2, 8, 8), (2, 8, 8))
        self.extra = nn.Parameter(torch.randn(1, before, 16))
        self.block = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.time = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.fc = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        places = self.patches(x).flatten(3).permute(0, 2, 3, 1)  # (N, T', H' W', K)
        n, t = places.shape[:2]
        tokens = torch.cat([self.extra.expand(n * t, -1, -1), places.flatten(0, 1)], 1)
        tokens = self.block(tokens)
        tokens = self.norm(tokens.unflatten(0, (n, t)) if self.apart else tokens)
        times = tokens.mean(-2).reshape(n, t, -1)
        return self.fc((self.time(times) if self.over_time else times).mean(1))


class Quarters(nn.Module):
    """A convolution with the four quarters of the picture as samples, in all frames at once."""

    def __init__(self, stride: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(24, 8, stride, stride)  # the 8 frames are channels
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        frames = x.flatten(1, 2).unflatten(2, (2, -1)).unflatten(4, (2, -1))
        quarters = frames.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
        return self.fc(self.conv(quarters).relu().mean((2, 3)).unflatten(0, (len(x), -1)).mean(1))


class HalvedFrames(nn.Module):
    """Frames as samples, half as many behind a pooling over time, as in TSM."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 4, 4), nn.Conv2d(8, 8, 3, 1, 1)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        frames = self.first(x.transpose(1, 2).flatten(0, 1)).relu()
        pairs = frames.unflatten(0, (-1, 2)).amax(1)
        return self.fc(self.second(pairs).relu().mean((2, 3)).unflatten(0, (len(x), -1)).mean(1))


class TimeLast(nn.Module):
    """Convolutions over (N, C, H, W, T)."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, channels, 3, (4, 4, 1), 1)
        self.block = nn.Sequential(nn.Conv3d(channels, channels, 1), nn.ReLU())
        self.fc = nn.Linear(channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.block(self.conv(x.permute(0, 1, 3, 4, 2))).mean((2, 3, 4)))


class Viewing(nn.Module):
    """Takes views of its input and of a convolution's output, as C3D and TSM do.

    ``time_first`` is for inputs (N, T, 3, H, W).
    """

    def __init__(self, time_first: bool = False) -> None:
        super().__init__()
        self.time_first = time_first
        self.conv = nn.Conv3d(3, 4, 3, (2, 4, 4), 1)
        self.last = ChannelsLast()
        self.fc = nn.Linear(4 * 4 * 4 * 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = x.view(-1, *x.shape[2:]).view(x.shape)
        if self.time_first:
            x = x.transpose(1, 2)
        grid = self.last(self.conv(x).relu()).permute(0, 4, 1, 2, 3)
        return self.fc(grid.view(-1, 4 * 4 * 4 * 4))


class ChannelsLast(nn.Module):
    """(N, K, T', H', W') as (N, T', H', W', K), with the memory as it was."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 4, 1)


class ViewingImages(nn.Module):
    """Takes a view of what a convolution puts out, which has the layout of its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 4, 1)
        self.fc = nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).relu().view(-1, 64))
