"""What the bundled networks were trained to see: the clips, the classes, and the controls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models3d.drawn_clips import CLASSES, DrawnClip, draw_clip, stack_clips
from models3d.light_clips import LIGHT_CLASSES, draw_light_clip
from models3d.scene import Frames, Mask
from models3d.texture_clips import TEXTURE_CLASSES, draw_texture_clip


@dataclass(frozen=True)
class Task:
    """The drawn clips of one bundled network.

    Attributes:
        draw: seed and options -> clip.
        classes: names of the classes; the last one is that of clips that show none of the others.
        without: version of a clip that shows nothing of its class.
        alone: version of a clip that shows nothing but what its class depends on.
    """

    draw: Callable[..., DrawnClip]
    classes: tuple[str, ...]
    without: str
    alone: str

    @property
    def nothing(self) -> int:
        """The class id of clips that show none of the classes."""
        return len(self.classes) - 1

    def draw_batch(
        self, seeds: Iterable[int], **options: Any
    ) -> tuple[Frames, NDArray[np.int64], Mask]:
        """As ``drawn_clips.draw_batch``, of this task's clips."""
        return stack_clips([self.draw(seed, **options) for seed in seeds])


# Name of the network -> its task.
TASKS = {
    "motion3d": Task(draw_clip, CLASSES, "without event", "event alone"),
    "texture3d": Task(draw_texture_clip, TEXTURE_CLASSES, "without texture", "frozen"),
    "transformer3d": Task(draw_light_clip, LIGHT_CLASSES, "without change", "change alone"),
}
