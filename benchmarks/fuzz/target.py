"""What is fuzzed: a parser, undamaged files for it, and ways to damage them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fuzz.byte_damage import damaged

Damage = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Target:
    """A parser to be fuzzed.

    Attributes:
        write_seeds: writes undamaged files to an empty folder.
        read: reads the file at a path as the project does; may raise a VideoCamError.
        structure: damages what the file contains, by the file's suffix.
    """

    write_seeds: Callable[[Path], None]
    read: Callable[[Path], object]
    structure: Mapping[str, Damage]

    def input(self, seeds: list[Path], rng: random.Random) -> tuple[str, bytes]:
        """The name and content of a damaged file.

        Args:
            seeds: the files that ``write_seeds`` wrote, in order.
        """
        seed = rng.choice(seeds)
        damage = self.structure.get(seed.suffix, damaged)
        chosen = damage if rng.random() < 0.5 else damaged
        return seed.name, chosen(seed.read_bytes(), rng)
