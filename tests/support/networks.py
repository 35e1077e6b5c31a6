"""Small networks and inputs for tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PoolLinear(nn.Module):
    """Two convolutions, the average over the grid, a linear head: maps have closed forms."""

    def __init__(self, channels: int = 5, classes: int = 4, inplace: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 4, 3, stride=(1, 2, 2), padding=1)
        self.conv2 = nn.Conv3d(4, channels, 3, stride=2, padding=1)
        self.relu = nn.ReLU(inplace=inplace)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv2(self.conv1(x).tanh()))
        return self.fc(x.mean((2, 3, 4)))


class Nonlinear(nn.Module):
    """A network with a nonlinear head, so that the maps of all methods differ."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.layer1 = nn.Conv3d(3, 4, 3, stride=(1, 2, 2), padding=1)
        self.layer2 = nn.Sequential(nn.ReLU(inplace), nn.Conv3d(4, 5, 3, stride=2, padding=1))
        self.layer3 = nn.Sequential(nn.ReLU(inplace), nn.Conv3d(5, 6, 3, padding=1))
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.dropout(x.tanh().mean((2, 3, 4))))


class ImageNetwork(nn.Module):
    """Scores of single images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).relu().mean((2, 3)))


class PerFrame(nn.Module):
    """Scores every frame: (N, T, classes)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3, stride=(1, 2, 2), padding=1)
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).relu().mean((3, 4)).transpose(1, 2))


def seeded(build: type[nn.Module], seed: int = 0, **options: object) -> nn.Module:
    """A network in float64 with weights that depend only on the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return build(**options).double()


def clip(seed: int = 0, batch: int = 2, size: tuple[int, int, int] = (4, 12, 10)) -> Tensor:
    """A float64 input (batch, 3, *size)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 3, *size, generator=generator, dtype=torch.float64)
