"""What a sprite does in a clip: the event that names the class, or a decoy that moves as much.

A decoy is an event's motion that leads nowhere: to and fro instead of ahead, or ahead on a
diagonal. Its steps from frame to frame are drawn from the event's own ranges, so that how much
something moves does not tell the actor from the others.

One frame at a random moment does not tell the class either. Places are uniform on a canvas whose
opposite rims touch, at every moment and for every class; steady radii have the distribution of a
growing sprite's at a random moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WORLD = 64.0
EVENT_FRAMES = (6, 10)  # shortest and longest event
STRETCH_FRAMES = 16  # a distractor acts once in every so many frames
RADIUS = (6.5, 13.0)
SMALL, LARGE = (6.5, 7.5), (12.0, 13.0)  # where growing starts and ends; inside RADIUS
GLIDE_SPEED = 0.5  # world units per frame and axis, at most
DASH_SPEED = (2.4, 3.4)
SPIN_SPEED = (0.25, 0.45)  # radians per frame: 14 to 26 degrees
DIRECTIONS = {"dash left": (-1, 0), "dash right": (1, 0), "dash up": (0, -1), "dash down": (0, 1)}
# As often as the events they imitate: half are dashes, a quarter changes of size.
DECOYS = ("shuttle", "shuttle", "diagonal", "diagonal", "throb", "throb", "rock", "swap")

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Motion:
    """One sprite's life; every array has one entry per frame.

    centre: (T, 2) x, y in world units, on a canvas whose opposite rims touch. radius: world
    units. angle: radians. picture: which of its pictures shows; -1 for none.
    acting: while it does its event or decoy.
    """

    centre: Floats
    radius: Floats
    angle: Floats
    picture: NDArray[np.int64]
    acting: Flags


@dataclass(frozen=True)
class Character:
    """What is drawn by lot for a sprite, whatever it will do."""

    start: Floats  # (2,) world units
    glide: Floats  # (2,) world units per frame
    angle: float
    growth: tuple[float, float]  # radii where growing starts and ends
    moment: float  # in [0, 1): where in the clip a steady radius is taken from a growing one
    speed: float  # of a dash, world units per frame
    turn: float  # radians per frame, signed
    period: int  # frames until a blink or a decoy turns round
    direction: int  # of a decoy, a multiple of a right angle

    @classmethod
    def draw(cls, rng: np.random.Generator, glide: float) -> Character:
        """``glide``: the highest speed of gliding on each axis."""
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

    def steady_radius(self, event: tuple[int, int], num_frames: int) -> float:
        """A growing sprite's radius at the drawn moment, played forwards or backwards."""
        small, large = self.growth
        return small + (large - small) * float(grown(int(self.moment * num_frames), event))

    def blinks_out(self, event: tuple[int, int], num_frames: int) -> bool:
        """Would a blink be out at the drawn moment?"""
        since = int(self.moment * num_frames) - event[0]
        return 0 <= since < event[1] - event[0] and since // self.period % 2 == 0


def grown(frame: NDArray[np.int64] | int, event: tuple[int, int]) -> Floats:
    """How much of a growth is over in the middle of a frame, 0 to 1: the same played backwards."""
    start, end = event
    return np.clip((np.asarray(frame) - start + 0.5) / (end - start), 0.0, 1.0)


def event_motion(
    who: Character, action: str, event: tuple[int, int], num_frames: int, acts: bool = True
) -> Motion:
    """The actor's life, with its ``action`` in frames [start, end).

    Unless it ``acts`` it goes on as it was; up to the event's start both lives are the same.
    """
    start, end = event
    since_start = np.arange(num_frames) - (start - 1)  # 1 in the event's first frame
    acted = np.clip(since_start, 0, end - start) * acts  # frames of action so far
    acting = (since_start >= 1) & (since_start <= end - start) & acts
    progress = grown(np.arange(num_frames), event) * acts
    small, large = who.growth

    gliding, moved = since_start, np.zeros((num_frames, 2))
    radius = np.full(num_frames, who.steady_radius(event, num_frames))
    angle = np.full(num_frames, who.angle)
    picture = np.zeros(num_frames, np.int64)
    if action in DIRECTIONS:  # the dash takes the place of the gliding
        gliding = since_start - acted
        moved = np.array(DIRECTIONS[action]) * who.speed * acted[:, None]
    if action == "grow":
        radius = small + (large - small) * progress
    if action == "shrink":
        radius = large + (small - large) * progress
    if action == "spin":
        angle = angle + who.turn * acted
    if action == "blink":
        picture = np.where(acting & ((since_start - 1) // who.period % 2 == 0), -1, 0)
    centre = np.mod(who.start + who.glide * gliding[:, None] + moved, WORLD)
    return Motion(centre, radius, angle, picture, acting)


def decoy_motion(who: Character, decoy: str | None, acting: Flags, length: int) -> Motion:
    """A distractor's life, with its ``decoy`` in the frames it is ``acting``; None only glides.

    ``length``: of the stretch it acts in, in frames.
    """
    num_frames = len(acting)
    acting = acting & (decoy is not None)
    acted = np.cumsum(acting)
    swing = who.period - np.abs(acted % (2 * who.period) - who.period)  # 0 1 2 1 0 ...
    small, large = who.growth

    heading = np.pi / 2 * who.direction + (np.pi / 4 if decoy == "diagonal" else 0)
    ahead = {"shuttle": swing, "diagonal": acted}.get(decoy or "", 0 * acted)
    travelling = acting & (decoy in ("shuttle", "diagonal"))  # instead of gliding
    gliding = np.arange(num_frames) - np.cumsum(travelling)
    moved = who.speed * ahead[:, None] * np.array([np.cos(heading), np.sin(heading)])

    steady = small + (large - small) * who.moment
    radius = np.full(num_frames, steady)
    if decoy == "throb":
        inwards = -1 if steady > sum(RADIUS) / 2 else 1
        radius = steady + inwards * (large - small) / length * swing
    angle = who.angle + who.turn * (swing if decoy == "rock" else 0 * swing)
    out = (acted - 1) // who.period % 2 == 0
    picture = np.where(acting & out & (decoy == "swap"), 1, 0)
    centre = np.mod(who.start + who.glide * gliding[:, None] + moved, WORLD)
    return Motion(centre, radius, angle, picture, acting)


def draw_event(rng: np.random.Generator, num_frames: int) -> tuple[int, int]:
    """[start, end) of an event somewhere in the clip."""
    length = min(int(rng.integers(EVENT_FRAMES[0], EVENT_FRAMES[1] + 1)), num_frames)
    start = int(rng.integers(num_frames - length + 1))
    return start, start + length


def draw_acting(rng: np.random.Generator, num_frames: int) -> tuple[Flags, int]:
    """(T,) when a distractor acts: as an event would, once in every STRETCH_FRAMES; its length."""
    acting = np.zeros(num_frames, bool)
    length = 0
    for first in range(0, num_frames, STRETCH_FRAMES):
        start, end = draw_event(rng, min(STRETCH_FRAMES, num_frames - first))
        acting[first + start : first + end] = True
        length = max(length, end - start)
    return acting, length
