"""The network's input equals torchvision's, and coordinates map to it and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.models.video import R3D_18_Weights, S3D_Weights

from video_cam.models.preprocessing import Preprocess
from video_cam.models.registry import known_models

SIZES = [(256, 340), (240, 426), (720, 1280), (151, 97), (64, 64)]


@pytest.mark.parametrize("size", SIZES[:4])
@pytest.mark.parametrize(
    ("name", "entry"), [("r3d_18", R3D_18_Weights.DEFAULT), ("s3d", S3D_Weights.DEFAULT)]
)
def test_the_input_equals_torchvisions(name: str, entry, size: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    preprocess = known_models()[name].preprocess
    ours = preprocess.tensor(np.stack([preprocess.frame(frame) for frame in frames])[None])
    theirs = entry.transforms()(torch.from_numpy(frames).permute(0, 3, 1, 2))
    # One level of 255: OpenCV rounds the two axes of a resize in fixed point.
    assert (ours[0] - theirs).abs().max() <= 1.01 / 255 / min(preprocess.std)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "preprocess", [known_models()["r3d_18"].preprocess, known_models()["motion3d"].preprocess]
)
def test_a_point_mapped_to_the_input_and_back_is_the_same(preprocess: Preprocess, size) -> None:
    geometry = preprocess.geometry(*size)
    for x, y in [(0.0, 0.0), (13.25, 40.5), (size[1], size[0])]:
        assert geometry.to_source(*geometry.to_input(x, y)) == pytest.approx((x, y))


@pytest.mark.parametrize("size", SIZES)
def test_a_bright_spot_of_the_source_appears_where_the_geometry_maps_it(size) -> None:
    preprocess = known_models()["s3d"].preprocess
    geometry = preprocess.geometry(*size)
    left, top, right, bottom = geometry.seen_box
    # A spot large enough to survive a resize without antialiasing.
    x, y = round(left + 0.3 * (right - left)), round(top + 0.6 * (bottom - top))
    radius = 4
    frame = np.zeros((*size, 3), np.uint8)
    frame[y - radius : y + radius, x - radius : x + radius] = 255
    resized = preprocess.frame(frame)[..., 0].astype(float)
    rows, columns = np.indices(resized.shape)
    centre = (
        (columns * resized).sum() / resized.sum() + 0.5,
        (rows * resized).sum() / resized.sum() + 0.5,
    )
    assert centre == pytest.approx(geometry.to_input(x, y), abs=0.6)


@pytest.mark.parametrize(
    ("size", "resize", "expected"),
    [
        ((256, 340), (128, 171), (59.649, 16.0, 282.339, 240.0)),
        ((128, 171), (128, 171), (30.0, 8.0, 142.0, 120.0)),
        ((100, 200), 112, (50.0, 0.0, 150.0, 100.0)),
        ((200, 100), 112, (0.0, 50.0, 100.0, 150.0)),
    ],
)
def test_the_part_of_the_source_in_the_input(size, resize, expected) -> None:
    box = Preprocess(resize, (112, 112), (0, 0, 0), (1, 1, 1)).geometry(*size).seen_box
    assert box == pytest.approx(expected, abs=1e-3)


def test_frames_are_normalised_per_channel() -> None:
    preprocess = Preprocess((2, 2), (2, 2), (0.5, 0.25, 0.0), (0.5, 0.25, 2.0))
    frames = np.zeros((1, 3, 2, 2, 3), np.uint8)  # N, T, H, W, C
    frames[0, 2, 1, 0] = (255, 255, 255)
    x = preprocess.tensor(frames)
    assert x.shape == (1, 3, 3, 2, 2) and x.dtype == torch.float32
    assert x[0, :, 2, 1, 0].tolist() == [1.0, 3.0, 0.5]
    assert x[0, :, 0, 0, 0].tolist() == [-1.0, -1.0, 0.0]
