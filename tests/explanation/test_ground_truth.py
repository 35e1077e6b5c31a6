"""On drawn clips the ground truth is known: maps are on the acting sprite, while it acts."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

import video_cam
from clips.make_clips import SAMPLES, draw_sample
from models3d import draw_batch
from tests.conftest import CLIPS
from video_cam import Classifier, Explanation
from video_cam.layers.alignment import interpolation_matrix
from video_cam.models.registry import BUNDLED

HELD_OUT = range(700_000, 700_096)  # seeds of clips that the network was not trained on
NEAR = 7  # pixels of 64: under half of the 16 between two cells of layer4


@pytest.fixture(scope="module")
def bundled(all_clips: None) -> Classifier:
    """A network of which nothing is known yet, so that its cells are measured on all clips."""
    return video_cam.load_model(BUNDLED)


@pytest.fixture(scope="module")
def held_out(bundled: Classifier) -> tuple[np.ndarray, np.ndarray]:
    """Positive maps (N, T, H, W) and ground-truth masks of the clips the network gets right."""
    frames, class_ids, masks = draw_batch(HELD_OUT)
    x = bundled.preprocess.tensor(frames)
    maps, is_right = [], []
    for start in range(0, len(x), 32):
        targets = class_ids[start : start + 32].tolist()
        part = x[start : start + 32]
        [cam] = video_cam.compute_cams(bundled.module, part, layers=["layer4"], targets=[targets])
        maps.append(video_cam.upsample(cam, part.shape[2:]).clamp(min=0))
        with torch.no_grad():
            is_right += (bundled.module(part).argmax(1).numpy() == targets).tolist()
    kept = np.array(is_right)
    return torch.cat(maps).numpy()[kept], masks[kept]


def pointing_accuracy(maps: np.ndarray, masks: np.ndarray) -> float:
    """The share of event frames whose largest value is within NEAR of the acting sprite."""
    kernel = np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)
    near = np.stack([[cv2.dilate(m.astype(np.uint8), kernel) for m in clip] for clip in masks])
    hits = [
        mask[np.unravel_index(frame.argmax(), frame.shape)]
        for cam, truth in zip(maps, near, strict=True)
        for frame, mask in zip(cam, truth, strict=True)
        if mask.any()
    ]
    return float(np.mean(hits))


def pointing_accuracy_in_time(maps: np.ndarray, masks: np.ndarray) -> float:
    """The share of clips whose frame with the largest sum is in the event."""
    sums = maps.sum((2, 3))
    return float(np.mean([m.any((1, 2))[s.argmax()] for s, m in zip(sums, masks, strict=True)]))


def test_the_largest_value_is_at_the_acting_sprite(held_out) -> None:
    maps, masks = held_out
    assert len(maps) > 60
    # The ground truth of another clip says how often this happens by chance.
    chance = pointing_accuracy(maps, np.roll(masks, 1, axis=0))
    assert pointing_accuracy(maps, masks) > 0.8
    assert chance < 0.5


def test_the_frame_with_the_largest_sum_is_in_the_event(held_out) -> None:
    maps, masks = held_out
    assert pointing_accuracy_in_time(maps, masks) > 0.85


def test_the_map_is_not_late(held_out) -> None:
    maps, masks = held_out
    frames = np.arange(maps.shape[1])
    sums = maps.sum((2, 3))
    centroid = (sums * frames).sum(1) / sums.sum(1)
    middle = [np.flatnonzero(mask.any((1, 2))).mean() for mask in masks]
    assert abs(np.mean(centroid - middle)) < 0.75


def positive_maps(explanation: Explanation, num_frames: int) -> np.ndarray:
    """The first map at every frame of the clip on the network's input pixels: (F, H, W), >= 0."""
    series, blend = explanation.maps[0], explanation.blend()
    geometry = explanation.geometry
    rows = interpolation_matrix(series.centres.y, np.arange(geometry.crop_height))
    columns = interpolation_matrix(series.centres.x, np.arange(geometry.crop_width))
    cells = [blend.at(series.values, frame / 16) for frame in range(num_frames)]
    return np.stack([(rows @ one @ columns.T).clip(min=0) for one in cells])


@pytest.mark.parametrize("name", SAMPLES)
def test_on_the_sample_clips_the_map_is_on_the_actor(name: str, bundled: Classifier) -> None:
    explanation = video_cam.explain(CLIPS / f"{name}.mp4", bundled)
    assert explanation.predictions(1)[0].label == SAMPLES[name][1]
    truth = draw_sample(name)
    maps = positive_maps(explanation, len(truth.frames))
    start, end = truth.event
    assert start <= maps.sum((1, 2)).argmax() < end
    hits = []
    for frame_index in range(start, end):
        row, column = np.unravel_index(maps[frame_index].argmax(), maps.shape[1:])
        x, y = map(int, explanation.geometry.to_source(column + 0.5, row + 0.5))
        reach = 4 * NEAR  # the clip has four pixels for one of the network's
        box = np.s_[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
        hits.append(truth.mask[frame_index][box].any())
    assert np.mean(hits) >= 0.7
