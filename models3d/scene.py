"""The scene of a drawn clip: its background, its actor and its distractors.

Positions and lengths are in world units: the canvas is 64 x 64 of them at every size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models3d import textures
from models3d.actions import (
    DECOYS,
    GLIDE_SPEED,
    RADIUS,
    WORLD,
    Floats,
    Motion,
    SpriteTraits,
    decoy_motion,
    draw_acting,
    event_motion,
    imitating_decoy,
)
from models3d.sprite_drawing import Sprite, crop_scaled, draw_sprites

DRIFT_SPEED = 0.7  # of the background, world units per frame and axis, at most
DISTRACTORS = (3, 4)
CLEARANCE = 0.8  # wanted distance of a distractor from the actor, in sums of the two radii
NEAR = 16.0  # world units: of a near distractor from its actor; one cell of ``layer4``
# Each part of a scene has its own random numbers, so that leaving one out changes no other.
SCENE_STREAM, ACTOR_STREAM, BACKGROUND_STREAM, FIRST_DISTRACTOR_STREAM = 0, 1, 2, 3
NEAR_STREAM, TEXTURE_STREAM = 100, 101

Frames = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def number_of_distractors(
    rng: np.random.Generator,
    traits: SpriteTraits,
    action: str,
    event: tuple[int, int],
    num_frames: int,
) -> int:
    """Draw how many distractors a clip has.

    Other classes than "blink" have one fewer as often as a blink hides its actor, so that the
    number of visible sprites in one frame does not show the class.
    """
    count = int(rng.integers(DISTRACTORS[0], DISTRACTORS[1] + 1))
    return count - (action != "blink" and traits.would_be_hidden(event, num_frames))


@dataclass(frozen=True)
class Scene:
    """What all parts of one clip have in common.

    Attributes:
        seed: of all random numbers.
        num_frames: of the clip.
        size: height and width in pixels.
        difficulty: in [0, 1], see ``draw_clip``.
        still: nothing but the actor moves.
        crowded: the first distractor acts together with the actor, within NEAR of it.
    """

    seed: int
    num_frames: int
    size: int
    difficulty: float
    still: bool = False
    crowded: bool = False

    def sprites(
        self, rng: np.random.Generator, action: str, event: tuple[int, int], acts: bool
    ) -> tuple[list[Sprite], int]:
        """All sprites from back to front, and the actor's index among them."""
        actor_rng = self.stream(ACTOR_STREAM)
        traits = SpriteTraits.draw(actor_rng, self.difficulty * GLIDE_SPEED)
        whole = event_motion(traits, action, event, self.num_frames)
        drawn_count = number_of_distractors(rng, traits, action, event, self.num_frames)
        count = round(self.difficulty * drawn_count)
        actor = int(rng.integers(count + 1))
        # Distractors keep clear of the whole event, whether this version shows it or not.
        sprites = [self._distractor(i, whole) for i in range(count)]
        if self.crowded and sprites:
            sprites[0] = self._near_distractor(action, traits, whole)
            actor = max(actor, 1)  # in front of the near distractor, so that it stays visible
        motion = event_motion(traits, action, event, self.num_frames, acts)
        sprites.insert(actor, Sprite(self._pictures(actor_rng, 1), motion))
        return sprites, actor

    def draw(self, sprites: list[Sprite]) -> tuple[Frames, NDArray[np.float32]]:
        """Draw the frames.

        Returns:
            frames: uint8 (T, size, size, 3), RGB.
            coverage: float32 (S, T, size, size), the share of each pixel that shows each sprite.
        """
        canvases = self._background()
        coverage = [draw_sprites(canvas, sprites, t) for t, canvas in enumerate(canvases)]
        return np.clip(canvases * 255 + 0.5, 0, 255).astype(np.uint8), np.stack(coverage, 1)

    def stream(self, index: int) -> np.random.Generator:
        """The random numbers of one part of the scene."""
        return np.random.default_rng([self.seed, index])

    def picture_shape(self) -> tuple[int, float]:
        """Side of a sprite's picture in texels, and width of its soft edge in radii.

        A texel is about a pixel, and the soft edge about a pixel wide, at every size.
        """
        return self.size // 2, WORLD / self.size / (sum(RADIUS) / 2)

    def _background(self) -> textures.Image:
        """float32 (T, size, size, 3) in [0, 1], with a constant drift unless ``still``."""
        rng = self.stream(BACKGROUND_STREAM)
        picture = textures.background(rng, self.difficulty)
        drift = self.difficulty * rng.uniform(-DRIFT_SPEED, DRIFT_SPEED, 2)
        margin = (textures.BACKGROUND_UNITS - WORLD) / 2
        moments = np.arange(self.num_frames) * (not self.still) - self.num_frames / 2
        scale, shape = WORLD / self.size, (self.size, self.size)
        return np.stack([crop_scaled(picture, scale, margin + drift * t, shape) for t in moments])

    def _distractor(self, index: int, actor: Motion) -> Sprite:
        """A sprite with a decoy, on one of ten random paths that keeps clear of the actor."""
        rng = self.stream(FIRST_DISTRACTOR_STREAM + index)
        decoy = DECOYS[int(rng.integers(len(DECOYS)))]
        acts = rng.random() < self.difficulty
        acting, length = draw_acting(rng, self.num_frames)
        traits = SpriteTraits.draw(rng, self.difficulty * GLIDE_SPEED)
        motion = decoy_motion(traits, decoy if acts else None, acting, length)
        shifts = rng.uniform(0, WORLD, (10, 1, 2))
        paths = np.mod(motion.centre + shifts, WORLD)  # (10, T, 2)
        clearance = (distances(paths, actor) / (motion.radius + actor.radius)).min(axis=1)
        # Take the first path with enough clearance; always taking the largest would push
        # distractors into corners.
        path = paths[int(np.minimum(clearance, CLEARANCE).argmax())]
        motion = replace(motion, centre=path)
        pictures = self._pictures(rng, 2 if decoy == "swap" else 1)
        return Sprite(pictures, first_frame_only(motion) if self.still else motion)

    def _near_distractor(self, action: str, actor_traits: SpriteTraits, actor: Motion) -> Sprite:
        """A sprite whose decoy imitates the event while it takes place, within NEAR of it."""
        rng = self.stream(NEAR_STREAM)
        traits = SpriteTraits.draw(rng, self.difficulty * GLIDE_SPEED)
        decoy, direction = imitating_decoy(rng, action)
        traits = replace(
            traits,
            direction=direction,
            **{name: getattr(actor_traits, name) for name in ("speed", "turn", "period", "growth")},
        )
        motion = decoy_motion(traits, decoy, actor.acting, int(actor.acting.sum()))
        motion = replace(motion, centre=self._near_path(rng, motion, actor))
        pictures = self._pictures(rng, 2 if decoy == "swap" else 1)
        return Sprite(pictures, first_frame_only(motion) if self.still else motion)

    def _near_path(self, rng: np.random.Generator, motion: Motion, actor: Motion) -> Floats:
        """The clearest of 64 random paths within NEAR of the actor, on average over the event."""
        event = np.flatnonzero(actor.acting)
        middle = int(event[len(event) // 2])
        angle, distance = rng.uniform(0, 2 * np.pi, 64), NEAR * np.sqrt(rng.uniform(0, 1, 64))
        offsets = distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
        shifts = actor.centre[middle] + offsets - motion.centre[middle]
        paths = np.mod(motion.centre + shifts[:, None], WORLD)  # (64, T, 2)
        apart = distances(paths, actor)[:, event]
        clearance = (apart / (motion.radius + actor.radius)[event]).min(axis=1)
        mean = apart.mean(axis=1)
        return paths[int(np.where(mean <= NEAR, clearance, -mean).argmax())]

    def _pictures(self, rng: np.random.Generator, count: int) -> tuple[textures.Image, ...]:
        side, edge = self.picture_shape()
        return tuple(textures.sprite_picture(rng, side=side, edge=edge) for _ in range(count))


def distances(paths: Floats, actor: Motion) -> Floats:
    """Distance of each path (P, T, 2) from the actor in every frame: (P, T), in world units."""
    apart = np.abs(paths - actor.centre)
    apart = np.minimum(apart, WORLD - apart)
    return np.asarray(np.linalg.norm(apart, axis=2))


def first_frame_only(motion: Motion) -> Motion:
    """The state of the first frame in all frames, not acting."""
    first = {name: np.repeat(v[:1], len(v), 0) for name, v in vars(motion).items()}
    return Motion(**first | {"acting": np.zeros_like(motion.acting)})
