"""Damage to the bytes of a file, as disks, networks and attackers do it."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The bytes with 1 to 20 of DAMAGES."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        rng.choice(DAMAGES)(changed, rng)
    return bytes(changed)


def _position(data: bytearray, rng: random.Random) -> int:
    """A random position; in half of the cases among the first 600 bytes, where headers are."""
    stop = min(len(data), 600) if rng.random() < 0.5 else len(data)
    return rng.randrange(max(stop, 1))


def _flip(data: bytearray, rng: random.Random) -> None:
    if data:
        data[_position(data, rng)] ^= 1 << rng.randrange(8)


def _extreme(data: bytearray, rng: random.Random) -> None:
    """Overwrite a number with an extreme one: 0, the largest, the most negative."""
    order, size = rng.choice("<>"), rng.choice((("B", 1), ("H", 2), ("I", 4)))
    number = rng.choice(_EXTREMES) & ((1 << 8 * size[1]) - 1)
    at = _position(data, rng)
    data[at : at + size[1]] = struct.pack(order + size[0], number)


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[_position(data, rng) + 1 :]


def _remove(data: bytearray, rng: random.Random) -> None:
    at = _position(data, rng)
    del data[at : at + rng.randrange(1, 200)]


def _repeat(data: bytearray, rng: random.Random) -> None:
    at = _position(data, rng)
    data[at:at] = data[at : at + rng.randrange(1, 200)]


def _noise(data: bytearray, rng: random.Random) -> None:
    at, size = _position(data, rng), rng.randrange(1, 64)
    data[at : at + size] = rng.randbytes(size)


def _zeros(data: bytearray, rng: random.Random) -> None:
    at, size = _position(data, rng), rng.randrange(1, 400)
    data[at : at + size] = bytes(size)


DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(_flip, _flip, _extreme, _extreme, _cut, _remove, _repeat, _noise, _zeros),
)
