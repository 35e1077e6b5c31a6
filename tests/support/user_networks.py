"""A file with network factories as users write them, good ones and wrong ones."""

from __future__ import annotations

from pathlib import Path

# What the tests of such networks give beside the network: a small input.
SMALL_INPUT = {"num_frames": 4, "size": (16, 16), "frame_rate": 8}

_SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3, stride=(1, 2, 2), padding=1)
        self.unused = nn.Conv3d(3, 4, 1)
        self.fc = nn.Linear(4, classes)
    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3, 4)))

class WithoutGrid(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
    def forward(self, x):
        return self.fc(x.mean((2, 3, 4)))

class WithoutScores(Net):
    def forward(self, x):
        return {"loss": self.conv(x).mean()}

class Detached(Net):
    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3, 4)).detach() + 0 * x.mean((2, 3, 4))[:, :1])

class FrameLoop(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.lstm = nn.LSTM(4, 5, batch_first=True)
        self.fc = nn.Linear(5, 3)
    def forward(self, x):
        frames = [self.conv(x[:, :, t]).mean((2, 3)) for t in range(x.shape[2])]
        return self.fc(self.lstm(torch.stack(frames, 1))[0][:, -1])

def make():
    torch.manual_seed(0)
    return Net()

def one_score():
    return Net(1)

def without_grid():
    return WithoutGrid()

def without_scores():
    return WithoutScores()

def detached():
    return Detached()

def frame_loop():
    return FrameLoop()

def raises():
    raise RuntimeError("no such disk\\nand more")

def no_module():
    return 3

number = 3
network = Net()

def margin(outputs):
    return outputs[:, 0] - outputs[:, 1]

def all_outputs(outputs):
    return outputs
"""


def write_networks(folder: Path) -> Path:
    """Write ``nets.py`` with the factories into ``folder``; returns its path."""
    path = folder / "nets.py"
    path.write_text(_SOURCE)
    return path
