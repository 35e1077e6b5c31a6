"""Random small networks of tokens, each with the truth of its layers' grids."""

from __future__ import annotations

from random import Random

import torch
from torch import Tensor, nn

Grid = tuple[int, int, int]


class TokenNetwork(nn.Module):
    """Patches as tokens in any order, with extra tokens at either end, and blocks."""

    def __init__(self, random: Random, size: Grid) -> None:
        super().__init__()
        tubelet, patch = random.choice([1, 2]), random.choice([8, 16])
        self.grid = (size[0] // tubelet, size[1] // patch, size[2] // patch)
        self.order = random.choice(["time first", "space first", "frames"])
        self.extra = random.choice([(0, 0), (1, 0), (0, 1), (2, 0)])
        self.pooled = sum(self.extra) == 0 or random.random() < 0.5
        self.patches = nn.Conv3d(3, 16, (tubelet, patch, patch), (tubelet, patch, patch))
        if tubelet == 2 and self.order == "frames":
            self.order = "time first"
        self.tokens = nn.ParameterList([torch.randn(1, n, 16) for n in self.extra])
        pre_norm = random.random() < 0.5
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True, norm_first=pre_norm)
            for _ in range(random.choice([1, 2]))
        )
        self.fc = nn.Linear(16, random.choice([3, 8, 27]))

    def forward(self, x: Tensor) -> Tensor:
        grid = self.patches(x)
        if self.order == "space first":
            grid = grid.permute(0, 1, 3, 4, 2)
        if self.order == "frames":
            grid = grid.transpose(1, 2).flatten(0, 1)
        tokens = grid.flatten(2).mT
        before, behind = (one.expand(len(tokens), -1, -1) for one in self.tokens)
        tokens = torch.cat([before, tokens, behind], 1)
        for block in self.blocks:
            tokens = block(tokens)
        at = 0 if self.extra[0] else -1
        pooled = tokens.mean(1) if self.pooled else tokens[:, at]
        return self.fc(pooled.unflatten(0, (len(x), -1)).mean(1))

    def grid_of(self, tokens: Tensor) -> Tensor:
        """The truth of a block's output."""
        t, h, w = self.grid
        tokens = tokens[:, self.extra[0] : tokens.shape[1] - self.extra[1]]
        if self.order == "frames":
            return tokens.mT.unflatten(2, (h, w)).unflatten(0, (-1, t)).transpose(1, 2)
        if self.order == "time first":
            return tokens.mT.unflatten(2, (t, h, w))
        return tokens.mT.unflatten(2, (h, w, t)).permute(0, 1, 4, 2, 3)


class TokensOfTimes(nn.Module):
    """Tokens in a sample, or in a row, for every one, two or four frames; then a block in time."""

    def __init__(self, random: Random, size: Grid) -> None:
        super().__init__()
        tubelet, patch = random.choice([1, 2, size[0] // 2]), random.choice([8, 16])
        self.grid = (size[0] // tubelet, size[1] // patch, size[2] // patch)
        self.extra = random.choice([(0, 0), (1, 0), (0, 1)])
        self.rows = random.random() < 0.5
        self.patches = nn.Conv3d(3, 16, (tubelet, patch, patch), (tubelet, patch, patch))
        self.tokens = nn.ParameterList([torch.randn(1, n, 16) for n in self.extra])
        self.block = nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.time = nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True)
        self.fc = nn.Linear(16, random.choice([3, 8, 27]))

    def forward(self, x: Tensor) -> Tensor:
        places = self.patches(x).transpose(1, 2).flatten(3).mT  # (N, T', H' W', K)
        tokens = places.flatten(0, 1)
        before, behind = (one.expand(len(tokens), -1, -1) for one in self.tokens)
        tokens = self.block(torch.cat([before, tokens, behind], 1))
        if self.rows:
            tokens = tokens.unflatten(0, (len(x), -1))
        times = self.norm(tokens).mean(-2).reshape(len(x), -1, 16)
        return self.fc(self.time(times).mean(1))

    def grid_of(self, tokens: Tensor) -> Tensor:
        """The truth of the block's and of the norm's output."""
        t, h, w = self.grid
        tokens = tokens[..., self.extra[0] : tokens.shape[-2] - self.extra[1], :]
        return tokens.reshape(-1, t, h, w, 16).permute(0, 4, 1, 2, 3)


class DividedAttention(nn.Module):
    """Attention in time with the places as samples, then a norm over all tokens."""

    def __init__(self, random: Random, size: Grid) -> None:
        super().__init__()
        self.grid = (size[0], size[1] // 16, size[2] // 16)
        self.patches = nn.Conv3d(3, 16, (1, 16, 16), (1, 16, 16))
        self.time = nn.TransformerEncoderLayer(16, 2, 16, 0.0, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.fc = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        places = self.patches(x).permute(0, 3, 4, 2, 1)  # (N, H', W', T, K)
        tokens = self.time(places.flatten(0, 2)).unflatten(0, (len(x), -1))
        return self.fc(self.norm(tokens.flatten(1, 2)).mean(1))

    def grid_of(self, tokens: Tensor) -> Tensor:
        t, h, w = self.grid
        return tokens.mT.unflatten(2, (h, w, t)).permute(0, 1, 4, 2, 3)

    def grid_of_places(self, tokens: Tensor) -> Tensor:
        _, h, w = self.grid
        return tokens.unflatten(0, (-1, h, w)).permute(0, 4, 3, 1, 2)
