"""How a sprite moves: the event that names the class, or a decoy with as much movement.

A decoy is an event's motion without its result: back and forth instead of ahead, or ahead on a
diagonal. Its steps from frame to frame have the ranges of the events' steps, so that the amount of
movement does not distinguish the actor from the distractors.

One frame at a random moment does not show the class either. Positions are uniform, at every moment
and for every class, on a canvas whose opposite edges touch; constant radii have the distribution of
the radius of a growing sprite at a random moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WORLD = 64.0  # side of the canvas in world units
EVENT_FRAMES = (6, 10)  # shortest and longest event
STRETCH_FRAMES = 16  # a distractor acts once in each stretch of so many frames
RADIUS = (6.5, 13.0)
SMALL, LARGE = (6.5, 7.5), (12.0, 13.0)  # radii before and after growing; inside RADIUS
GLIDE_SPEED = 0.5  # world units per frame and axis, at most
DASH_SPEED = (2.4, 3.4)
SPIN_SPEED = (0.25, 0.45)  # radians per frame: 14 to 26 degrees
DIRECTIONS = {"dash left": (-1, 0), "dash right": (1, 0), "dash up": (0, -1), "dash down": (0, 1)}
# As frequent as the events they imitate: half are dashes, a quarter changes of size.
DECOYS = ("shuttle", "shuttle", "diagonal", "diagonal", "throb", "throb", "rock", "swap")

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Motion:
    """The state of one sprite in every frame.

    Attributes:
        centre: (T, 2), x and y in world units; the canvas wraps around.
        radius: (T,) in world units.
        angle: (T,) in radians.
        picture: (T,) index of the picture that is shown; -1 where the sprite is hidden.
        acting: (T,) true while the event or decoy takes place.
    """

    centre: Floats
    radius: Floats
    angle: Floats
    picture: NDArray[np.int64]
    acting: Flags


@dataclass(frozen=True)
class SpriteTraits:
    """Random properties of a sprite, drawn alike for every event and decoy.

    Attributes:
        start: (2,) position in world units.
        glide: (2,) world units per frame.
        angle: in radians, before any rotation.
        growth: radii in world units before and after growing.
        moment: in [0, 1), of the clip; a constant radius is that of a growing sprite then.
        speed: of a dash, in world units per frame.
        turn: radians per frame, signed.
        period: frames until a blink or a decoy reverses.
        direction: of a decoy, in right angles.
    """

    start: Floats
    glide: Floats
    angle: float
    growth: tuple[float, float]
    moment: float
    speed: float
    turn: float
    period: int
    direction: int

    @classmethod
    def draw(cls, rng: np.random.Generator, glide: float) -> SpriteTraits:
        """Draw the properties; ``glide`` is the highest speed of gliding on each axis."""
        return cls(
            start=rng.uniform(0, WORLD, 2),
            glide=rng.uniform(-glide, glide, 2),
            angle=float(rng.uniform(0, 2 * np.pi)),
            growth=(float(rng.uniform(*SMALL)), float(rng.uniform(*LARGE))),
            moment=float(rng.uniform()),
            speed=float(rng.uniform(*DASH_SPEED)),
            turn=float(rng.choice([-1, 1]) * rng.uniform(*SPIN_SPEED)),
            period=int(rng.integers(1, 3)),
            direction=int(rng.integers(4)),
        )

    def constant_radius(self, event: tuple[int, int], num_frames: int) -> float:
        """The radius that a sprite growing in ``event`` has at ``moment``, in world units."""
        small, large = self.growth
        return small + (large - small) * float(growth_share(int(self.moment * num_frames), event))

    def would_be_hidden(self, event: tuple[int, int], num_frames: int) -> bool:
        """Whether a sprite blinking in ``event`` is hidden at ``moment``."""
        since_start = int(self.moment * num_frames) - event[0]
        return 0 <= since_start < event[1] - event[0] and since_start // self.period % 2 == 0


def growth_share(frame: NDArray[np.int64] | int, event: tuple[int, int]) -> Floats:
    """The share of a growth that is complete in the middle of a frame, in [0, 1].

    Symmetric: a clip played backwards has 1 minus this share.
    """
    start, end = event
    return np.clip((np.asarray(frame) - start + 0.5) / (end - start), 0.0, 1.0)


def event_motion(
    traits: SpriteTraits, action: str, event: tuple[int, int], num_frames: int, acts: bool = True
) -> Motion:
    """The motion of the actor.

    Args:
        traits: the actor's properties.
        action: name of the event, one of ``drawn_clips.EVENTS``.
        event: [start, end) in frames.
        num_frames: of the clip.
        acts: False for the same motion without the event. Before the event both are the same.
    """
    start, end = event
    since_start = np.arange(num_frames) - (start - 1)  # 1 in the event's first frame
    acted = np.clip(since_start, 0, end - start) * acts  # frames of action so far
    acting = (since_start >= 1) & (since_start <= end - start) & acts
    progress = growth_share(np.arange(num_frames), event) * acts
    small, large = traits.growth

    gliding, moved = since_start, np.zeros((num_frames, 2))
    radius = np.full(num_frames, traits.constant_radius(event, num_frames))
    angle = np.full(num_frames, traits.angle)
    picture = np.zeros(num_frames, np.int64)
    if action in DIRECTIONS:  # a dash replaces the gliding
        gliding = since_start - acted
        moved = np.array(DIRECTIONS[action]) * traits.speed * acted[:, None]
    if action == "grow":
        radius = small + (large - small) * progress
    if action == "shrink":
        radius = large + (small - large) * progress
    if action == "spin":
        angle = angle + traits.turn * acted
    if action == "blink":
        picture = np.where(acting & ((since_start - 1) // traits.period % 2 == 0), -1, 0)
    centre = np.mod(traits.start + traits.glide * gliding[:, None] + moved, WORLD)
    return Motion(centre, radius, angle, picture, acting)


def decoy_motion(traits: SpriteTraits, decoy: str | None, acting: Flags, length: int) -> Motion:
    """The motion of a distractor.

    Args:
        traits: the distractor's properties.
        decoy: one of DECOYS; None only glides.
        acting: (T,) the frames in which the decoy takes place.
        length: of one decoy in frames.
    """
    num_frames = len(acting)
    acting = acting & (decoy is not None)
    acted = np.cumsum(acting)
    swing = traits.period - np.abs(acted % (2 * traits.period) - traits.period)  # 0 1 2 1 0 ...
    small, large = traits.growth

    heading = np.pi / 2 * traits.direction + (np.pi / 4 if decoy == "diagonal" else 0)
    ahead = {"shuttle": swing, "diagonal": acted}.get(decoy or "", 0 * acted)
    travelling = acting & (decoy in ("shuttle", "diagonal"))  # replaces the gliding
    gliding = np.arange(num_frames) - np.cumsum(travelling)
    moved = traits.speed * ahead[:, None] * np.array([np.cos(heading), np.sin(heading)])

    constant = small + (large - small) * traits.moment
    radius = np.full(num_frames, constant)
    if decoy == "throb":
        sign = -1 if constant > sum(RADIUS) / 2 else 1
        radius = constant + sign * (large - small) / length * swing
    angle = traits.angle + traits.turn * (swing if decoy == "rock" else 0 * swing)
    second_picture = (acted - 1) // traits.period % 2 == 0
    picture = np.where(acting & second_picture & (decoy == "swap"), 1, 0)
    centre = np.mod(traits.start + traits.glide * gliding[:, None] + moved, WORLD)
    return Motion(centre, radius, angle, picture, acting)


def imitating_decoy(rng: np.random.Generator, action: str) -> tuple[str, int]:
    """The decoy that is most like an event, and its direction in right angles.

    A decoy of a dash goes ahead beside it, on one of the two diagonals next to its direction.
    """
    direction = int(rng.integers(4))
    if action in DIRECTIONS:
        x, y = DIRECTIONS[action]
        quarter = {(1, 0): 0, (0, 1): 1, (-1, 0): 2, (0, -1): 3}[x, y]
        return "diagonal", (quarter - direction % 2) % 4
    decoys = {"grow": "throb", "shrink": "throb", "spin": "rock", "blink": "swap"}
    return decoys[action], direction


def draw_event(rng: np.random.Generator, num_frames: int) -> tuple[int, int]:
    """Draw the [start, end) frames of an event inside a clip of ``num_frames``."""
    length = min(int(rng.integers(EVENT_FRAMES[0], EVENT_FRAMES[1] + 1)), num_frames)
    start = int(rng.integers(num_frames - length + 1))
    return start, start + length


def draw_acting(rng: np.random.Generator, num_frames: int) -> tuple[Flags, int]:
    """Draw when a distractor acts: as an event would, once in every STRETCH_FRAMES.

    Returns:
        acting: bool (num_frames,).
        length: of the longest decoy in frames.
    """
    acting = np.zeros(num_frames, bool)
    length = 0
    for first in range(0, num_frames, STRETCH_FRAMES):
        start, end = draw_event(rng, min(STRETCH_FRAMES, num_frames - first))
        acting[first + start : first + end] = True
        length = max(length, end - start)
    return acting, length
