"""Networks that keep something at a forward pass, in every way that a user's network may."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from torch import Tensor, nn

from tests.support.networks import PoolLinear


class Keeping(PoolLinear):
    """Keeps tables, counts, lists and buffers; each of them would change the next pass."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(1))
        self.register_buffer("last", None, persistent=False)
        self.table: Tensor | None = None
        self.plain = torch.zeros(2)
        self.tables: dict[str, Tensor] = {}
        self.seen: list[Any] = [torch.zeros(2), [1]]
        self.latest: deque[Tensor] = deque(maxlen=2)
        self.passes = 0

    def forward(self, x: Tensor) -> Tensor:
        grid = self.relu(self.conv2(self.conv1(x).tanh()))
        if self.table is None:  # as a table of positions that is made at first use
            self.table = torch.linspace(1, 2, grid.shape[-1], device=x.device, dtype=x.dtype)
        key = str(grid.shape[2:])
        self.tables.setdefault(key, self.table * 2)
        if self.last is not None:  # as the last frames of a stream
            grid = grid + self.last
        self.last = grid.detach().mean((2, 3, 4), keepdim=True)
        self.total += 1
        self.plain += 1
        self.seen[0] = grid
        self.seen[1].append(self.passes)
        self.latest.append(grid)
        self.added = grid
        self.passes += 1
        scale = self.tables[key] * (1 + self.total) * (1 + self.plain[0])
        return self.fc((grid * scale).mean((2, 3, 4)))


def attributes_of(model: nn.Module) -> list[Any]:
    """Every attribute of a network's modules, with the values of tensors and containers."""
    return [
        {name: _copied(value) for name, value in vars(module).items()} for module in model.modules()
    ]


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return id(value), value.device.type, value.detach().tolist()
    if isinstance(value, dict):
        return {name: _copied(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | deque):
        return type(value).__name__, [_copied(item) for item in value]
    return value if isinstance(value, int | float | str | bool | None) else id(value)


def assert_same_attributes(before: list[Any], model: nn.Module) -> None:
    """Fail where ``attributes_of`` returns something else than before."""
    for one, other in zip(before, attributes_of(model), strict=True):
        assert one == other
