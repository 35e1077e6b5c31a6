"""Small video transformers, each way in which code computes attention, and their maps by loops."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH, HEADS = 12, 2
PATCH = (2, 2, 2)


def _sdpa(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v)


def _masked(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=q.shape[-1] ** -0.5)


def _softmax(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    weights = ((q @ k.transpose(-2, -1)) * q.shape[-1] ** -0.5).softmax(dim=-1)
    return F.dropout(weights, 0.3, training=False) @ v


def _functional(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    weights = F.softmax(torch.matmul(q, k.mT) / q.shape[-1] ** 0.5, -1, dtype=torch.float64)
    return torch.matmul(weights.to(q.dtype), v)


def _einsum(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    logits = torch.einsum("b h i d, b h j d -> b h i j", q, k) * q.shape[-1] ** -0.5
    return torch.einsum("b h i j, b h j d -> b h i d", logits.softmax(-1), v)


def _einsum_by_place(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (one.transpose(1, 2) for one in (q, k, v))  # (N, L, heads, d)
    weights = (torch.einsum("bqhd,bkhd->bhqk", q, k) * q.shape[-1] ** -0.5).softmax(-1)
    return torch.einsum("bkhd,bhqk->bqhd", v, weights).transpose(1, 2)


def _heads_in_axis(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (one.unsqueeze(1) for one in (q, k, v))  # (N, 1, heads, L, d)
    return F.scaled_dot_product_attention(q, k, v).squeeze(1)


CODES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "sdpa": _sdpa,
    "masked": _masked,
    "softmax": _softmax,
    "functional": _functional,
    "einsum": _einsum,
    "einsum by place": _einsum_by_place,
    "heads in an axis": _heads_in_axis,
}
# These need weights of their own names.
MODULES = ("MultiheadAttention", "MultiheadAttention with weights")


class Attention(nn.Module):
    """Self-attention (N, L, WIDTH) -> the same shape, in one of the ways of CODES or MODULES."""

    def __init__(self, code: str = "sdpa") -> None:
        super().__init__()
        self.code = code
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def split(self, x: Tensor) -> Tensor:
        """(N, L, WIDTH) -> queries, keys and values (3, N, HEADS, L, d)."""
        return self.qkv(x).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)

    def weights(self, x: Tensor) -> Tensor:
        """A (N, HEADS, L, L)."""
        q, k, _ = self.split(x)
        return (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1)

    def forward(self, x: Tensor, weights: Tensor | None = None) -> Tensor:
        if self.code in MODULES:
            return self._module()(x, x, x, need_weights=self.code != MODULES[0])[0]
        q, k, v = self.split(x)
        attended = CODES[self.code](q, k, v) if weights is None else weights @ v
        return self.proj(attended.transpose(1, 2).flatten(2))

    def _module(self) -> nn.MultiheadAttention:
        module = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True, device="meta").eval()
        module.in_proj_weight, module.in_proj_bias = self.qkv.weight, self.qkv.bias
        module.out_proj.weight, module.out_proj.bias = self.proj.weight, self.proj.bias
        return module


class Block(nn.Module):
    """Attention and a perceptron, each beside a shortcut."""

    def __init__(self, code: str = "sdpa") -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn = Attention(code)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 16), nn.GELU(), nn.Linear(16, WIDTH))

    def forward(self, x: Tensor, weights: Tensor | None = None) -> Tensor:
        x = x + self.attn(self.norm1(x), weights)
        return x + self.mlp(self.norm2(x))


class Joint(nn.Module):
    """Joint attention of space and time: clips (N, 3, T, H, W) -> (N, classes).

    Without positions, so that a shift of the clip by a token shifts the tokens and nothing else.

    Args:
        code: of CODES or MODULES.
        head: what the scores are read from: the "class" token, or the "mean" of all others.
    """

    def __init__(self, code: str = "sdpa", head: str = "class", depth: int = 2) -> None:
        super().__init__()
        self.patch_embed = nn.Conv3d(3, WIDTH, PATCH, PATCH)
        self.class_token = nn.Parameter(torch.randn(1, 1, WIDTH)) if head == "class" else None
        self.blocks = nn.ModuleList(Block(code) for _ in range(depth))
        self.norm = nn.LayerNorm(WIDTH)
        self.fc = nn.Linear(WIDTH, 4)

    def embed(self, x: Tensor) -> Tensor:
        """The first block's tokens."""
        tokens = self.patch_embed(x).flatten(2).transpose(1, 2)
        if self.class_token is None:
            return tokens
        return torch.cat([self.class_token.expand(len(x), 1, WIDTH), tokens], 1)

    def head(self, tokens: Tensor) -> Tensor:
        """The scores, from the last block's tokens."""
        tokens = self.norm(tokens)
        return self.fc(tokens.mean(1) if self.class_token is None else tokens[:, 0])

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens)

    def in_loops(self, x: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Scores, each block's weights (N, HEADS, L, L), and its output, in one graph."""
        tokens, weights, given = self.embed(x), [], []
        for block in self.blocks:
            weights.append(block.attn.weights(block.norm1(tokens)))
            tokens = block(tokens, weights[-1])
            given.append(tokens)
        return self.head(tokens), weights, given


class Frames(Joint):
    """Each frame alone, with a class token each; the scores are the mean over frames."""

    def __init__(self, code: str = "sdpa") -> None:
        super().__init__(code)
        self.patch_embed = nn.Conv2d(3, WIDTH, PATCH[1:], PATCH[1:])

    def forward(self, x: Tensor) -> Tensor:
        frames = super().forward(x.transpose(1, 2).flatten(0, 1))
        return frames.unflatten(0, (len(x), -1)).mean(1)


class Factorised(nn.Module):
    """Frames alone, then attention of their class tokens over time, whose mean is scored."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, WIDTH, PATCH[1:], PATCH[1:])
        self.class_token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.in_space, self.in_time = Block(), Block("softmax")
        self.fc = nn.Linear(WIDTH, 4)

    def forward(self, x: Tensor) -> Tensor:
        frames = x.transpose(1, 2).flatten(0, 1)
        tokens = self.patch_embed(frames).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(tokens), 1, WIDTH), tokens], 1)
        moments = self.in_space(tokens)[:, 0].unflatten(0, (len(x), -1))  # (N, T, WIDTH)
        return self.fc(self.in_time(moments).mean(1))


class Divided(nn.Module):
    """Attention over time, then over space, of tokens ordered (T', H', W'), without extra ones."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Conv3d(3, WIDTH, PATCH, PATCH)
        self.blocks = nn.ModuleList(DividedBlock() for _ in range(2))
        self.fc = nn.Linear(WIDTH, 4)

    def forward(self, x: Tensor) -> Tensor:
        grid = self.patch_embed(x)
        tokens = grid.flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens, grid.shape[2])
        return self.fc(tokens.mean(1))


class DividedBlock(nn.Module):
    """(N, T' x places, WIDTH) -> the same shape."""

    def __init__(self) -> None:
        super().__init__()
        self.in_time, self.in_space = Attention("einsum"), Attention()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, tokens: Tensor, times: int) -> Tensor:
        x = self.norm1(tokens).unflatten(1, (times, -1))
        by_place = self.in_time(x.transpose(1, 2).flatten(0, 1))  # (N x places, T', WIDTH)
        x = by_place.unflatten(0, (len(tokens), -1)).transpose(1, 2)
        tokens = tokens + x.flatten(1, 2)
        by_time = self.in_space(self.norm2(tokens).unflatten(1, (times, -1)).flatten(0, 1))
        return tokens + by_time.unflatten(0, (len(tokens), times)).flatten(1, 2)
