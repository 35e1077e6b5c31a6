"""On drawn clips the truth is known: the map sits on the sprite that acts, while it acts."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

import video_cam
from clips.make_clips import SAMPLES, draw_sample
from models3d import draw_batch
from tests.conftest import CLIPS
from video_cam import Classifier
from video_cam.rendering.blended_maps import BlendedMap
from video_cam.rendering.heat import HeatMapper

HELD_OUT = range(700_000, 700_096)  # never trained on, see models3d/train.py
NEAR = 7  # pixels of 64: under half of the 16 between two cells of layer4


@pytest.fixture(scope="module")
def held_out(bundled: Classifier):
    """Held-out clips the network gets right: positive maps (N, T, H, W) and truth masks."""
    frames, class_ids, masks = draw_batch(HELD_OUT)
    x = bundled.preprocess.tensor(frames)
    maps, right = [], []
    for start in range(0, len(x), 32):
        wanted = class_ids[start : start + 32].tolist()
        part = x[start : start + 32]
        [cam] = video_cam.compute_cams(bundled.module, part, layers=["layer4"], targets=[wanted])
        maps.append(video_cam.upsample(cam, part.shape[2:]).clamp(min=0))
        with torch.no_grad():
            right += (bundled.module(part).argmax(1).numpy() == wanted).tolist()
    kept = np.array(right)
    return torch.cat(maps).numpy()[kept], masks[kept]


def hits_in_space(maps: np.ndarray, masks: np.ndarray) -> float:
    """The share of event frames whose hottest pixel lies within NEAR of the acting sprite."""
    kernel = np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)
    near = np.stack([[cv2.dilate(m.astype(np.uint8), kernel) for m in clip] for clip in masks])
    hits = [
        mask[np.unravel_index(heat.argmax(), heat.shape)]
        for cam, truth in zip(maps, near, strict=True)
        for heat, mask in zip(cam, truth, strict=True)
        if mask.any()
    ]
    return float(np.mean(hits))


def hits_in_time(maps: np.ndarray, masks: np.ndarray) -> float:
    """The share of clips whose hottest frame lies in the event."""
    mass = maps.sum((2, 3))
    return float(np.mean([m.any((1, 2))[h.argmax()] for h, m in zip(mass, masks, strict=True)]))


def test_the_hottest_pixel_is_at_the_acting_sprite(held_out) -> None:
    maps, masks = held_out
    assert len(maps) > 60
    # Another clip's truth says how often this happens by chance.
    chance = hits_in_space(maps, np.roll(masks, 1, axis=0))
    assert hits_in_space(maps, masks) > 0.8
    assert chance < 0.5


def test_the_hottest_frame_is_in_the_event(held_out) -> None:
    maps, masks = held_out
    assert hits_in_time(maps, masks) > 0.85


def test_the_map_is_not_late(held_out) -> None:
    maps, masks = held_out
    frames = np.arange(maps.shape[1])
    mass = maps.sum((2, 3))
    centroid = (mass * frames).sum(1) / mass.sum(1)
    truth = [np.flatnonzero(mask.any((1, 2))).mean() for mask in masks]
    assert abs(np.mean(centroid - truth)) < 0.75


@pytest.mark.parametrize("name", SAMPLES)
def test_on_the_sample_clips_the_heat_of_the_video_is_on_the_actor(name, bundled) -> None:
    found = video_cam.explain(CLIPS / f"{name}.mp4", bundled)
    assert found.predictions(1)[0].label == SAMPLES[name][1]
    truth = draw_sample(name)
    mapper = HeatMapper(BlendedMap(found, 0), found.geometry, "video")
    mass = mapper.blended.mass
    start, end = truth.event
    assert start <= mass.argmax() < end
    hits = []
    for t in range(start, end):
        heat = mapper.heat(t)
        y, x = np.unravel_index(heat.argmax(), heat.shape)
        reach = 4 * NEAR  # the clip has four pixels for one of the network's
        box = np.s_[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
        hits.append(truth.mask[t][box].any())
    assert np.mean(hits) >= 0.7
