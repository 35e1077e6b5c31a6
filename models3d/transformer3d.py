"""The bundled video transformer, which classifies a change of brightness in a drawn clip."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from models3d.light_clips import LIGHT_CLASSES
from models3d.residual3d import NUM_FRAMES, SIZE

WEIGHTS_FILE = Path(__file__).with_name("transformer3d.safetensors")

TUBELET = (2, 8, 8)  # frames and pixels of one token
GRID = (NUM_FRAMES // TUBELET[0], SIZE // TUBELET[1], SIZE // TUBELET[2])
WIDTH, DEPTH, HEADS, HIDDEN = 64, 4, 4, 192


class Attention(nn.Module):
    """Self-attention of all tokens of space and time."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, L, WIDTH) -> the same shape."""
        q, k, v = self.qkv(x).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and a two-layer perceptron, each behind a norm and beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn = Attention()
        self.mlp = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, L, WIDTH) -> the same shape."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Transformer3D(nn.Module):
    """Normalised float clips (N, 3, 16, 64, 64) -> logits (N, num_classes).

    A vision transformer with joint space-time attention over a class token and 8 x 8 x 8 tubelets,
    whose order is time, height, width.
    """

    def __init__(self, num_classes: int = len(LIGHT_CLASSES)) -> None:
        super().__init__()
        self.patch_embed = nn.Conv3d(3, WIDTH, TUBELET, TUBELET)
        self.class_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.in_time = nn.Parameter(0.02 * torch.randn(GRID[0], 1, WIDTH))
        self.in_space = nn.Parameter(0.02 * torch.randn(1, GRID[1] * GRID[2], WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH)
        self.fc = nn.Linear(WIDTH, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised float clips (N, 3, 16, 64, 64) -> logits (N, num_classes)."""
        tokens = self.patch_embed(x).flatten(2).transpose(1, 2)  # (N, 512, WIDTH)
        tokens = tokens + (self.in_time + self.in_space).flatten(0, 1)
        tokens = torch.cat([self.class_token.expand(len(x), 1, WIDTH), tokens], 1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.fc(self.norm(tokens)[:, 0])


def load_trained(path: Path = WEIGHTS_FILE) -> Transformer3D:
    """The network with the weights of a safetensors file, on the CPU, in eval mode."""
    net = Transformer3D()
    net.load_state_dict(load_file(path))
    return net.eval()
