"""Image sequences: images whose names differ only in the number at their end.

A sequence has the name of its images with ``%d`` in the number's place, as for the ffmpeg command:
``frames/a_%d.png`` means ``frames/a_0001.png``, ``frames/a_0002.png`` and so on.
"""

from __future__ import annotations

import math
import os
import re
from itertools import pairwise
from pathlib import Path

_NUMBER = re.compile(r"[0-9]+\Z")
_PATTERN = re.compile(r"(?P<before>.*)%(?:0[0-9]+)?d(?P<suffix>\.[^.]*)\Z", re.DOTALL)


def number_of(image: Path) -> int | None:
    """The number at the end of an image's name, None without one."""
    digits = _NUMBER.search(image.stem)
    return int(digits.group()) if digits else None


def sequences_of(images: list[Path]) -> list[Path]:
    """The sequences that numbered images of one folder form, by name.

    Images without others of their name are themselves among them, unless all are: names whose
    beginning differs from frame to frame are those of one sequence.

    Returns:
        Names with %d, and images; empty where all images are one sequence.
    """
    groups: dict[str, list[Path]] = {}
    for image in images:
        if digits := _NUMBER.search(image.stem):
            name = f"{image.stem[: digits.start()]}%d{image.suffix}"
            groups.setdefault(name, []).append(image)
    if len(groups) < 2 or max(map(len, groups.values())) < 2:
        return []
    folder = images[0].parent
    return sorted(folder / name if len(group) > 1 else group[0] for name, group in groups.items())


def sequence_images(path: Path) -> list[Path]:
    """The images that a name with %d means, by their numbers; empty for any other path."""
    wanted = _pattern(path)
    if wanted is None:
        return []
    form = re.compile(re.escape(wanted["before"]) + "[0-9]+" + re.escape(wanted["suffix"]))
    try:
        images = [image for image in path.parent.iterdir() if form.fullmatch(image.name)]
    except (OSError, ValueError):  # no such folder, or one that may not be read
        return []
    return sorted(images, key=lambda image: (number_of(image) or 0, image.name))


def sequence_name(path: Path) -> str | None:
    """What the images that a name with %d means have in common; None for any other path."""
    wanted = _pattern(path)
    return wanted and (wanted["before"].rstrip("_-. ") or path.parent.name)


def _pattern(path: Path) -> re.Match[str] | None:
    """The parts of a name with %d; None where a file has this very name."""
    wanted = _PATTERN.match(path.name)
    return wanted if wanted and not os.path.lexists(path) else None


def num_missing(images: list[Path]) -> int:
    """How many numbers are missing between those of the images, counted in their usual step."""
    numbers = sorted({number for number in map(number_of, images) if number is not None})
    steps = [later - earlier for earlier, later in pairwise(numbers)]
    step = math.gcd(*steps) if steps else 0
    return sum(steps) // step - len(steps) if step else 0
