"""A file with networks that do not run on the default input, as users write them."""

from __future__ import annotations

from pathlib import Path

_SOURCE = """
import torch
from torch import nn

class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3, stride=(1, 16, 16), padding=1)
        self.fc = nn.Linear(4 * 16 * 7 * 7, 3)
    def forward(self, x):
        features = self.conv(x).relu()
        return self.fc(features.flatten(1))

class View(Flat):
    def forward(self, x):
        return self.fc(self.conv(x).relu().contiguous().view(-1, 4 * 16 * 7 * 7))

class TimeFirst(Flat):
    def forward(self, x):
        return super().forward(x.transpose(1, 2))

class EightFrames(Flat):
    def __init__(self):
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, 4, 8, 1, 1))
        self.fc = nn.Linear(4, 3)
    def forward(self, x):
        return self.fc((self.conv(x) + self.position).relu().mean((2, 3, 4)))

class TwelveChannels(Flat):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(12, 4, 3, stride=(1, 16, 16), padding=1)
        self.fc = nn.Linear(4, 3)
    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3, 4)))

class WithSound(Flat):
    def forward(self, video, sound):
        return super().forward(video)

class Skeleton(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(50)
        self.fc = nn.Linear(2, 3)
    def forward(self, x):
        n, c, t, v, m = x.shape
        x = self.norm(x.permute(0, 4, 3, 1, 2).reshape(n * m, v * c, t))
        return self.fc(x.view(n, -1, 2).mean(1))

class OfFeatures(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(64, 3, 1)
    def forward(self, x):
        return self.conv(x)

class Argmax(Flat):
    def forward(self, x):
        return super().forward(x).argmax(1)

class Decorated(Flat):
    @torch.no_grad()
    def forward(self, x):
        return super().forward(x)
"""


def write_unfitting_networks(folder: Path) -> Path:
    """Write ``unfitting.py`` with the networks into ``folder``; returns its path."""
    path = folder / "unfitting.py"
    path.write_text(_SOURCE)
    return path


def line_of(path: Path, text: str) -> int:
    """The number of the first line of a file that contains ``text``, from 1."""
    lines = path.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)
