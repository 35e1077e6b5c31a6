"""The network's input equals torchvision's; a pixel goes there and back."""

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
def test_preprocessing_is_the_weights_own(name: str, entry, size: tuple[int, int]) -> None:
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
def test_a_point_goes_to_the_input_and_back(preprocess: Preprocess, size) -> None:
    geometry = preprocess.geometry(*size)
    for x, y in [(0.0, 0.0), (13.25, 40.5), (size[1], size[0])]:
        assert geometry.to_source(*geometry.to_input(x, y)) == pytest.approx((x, y))


@pytest.mark.parametrize("size", SIZES)
def test_a_bright_pixel_of_the_source_lights_the_pixel_the_geometry_says(size) -> None:
    preprocess = known_models()["s3d"].preprocess
    geometry = preprocess.geometry(*size)
    left, top, right, bottom = geometry.seen_box
    # A blob wide enough for a resize without antialiasing to find.
    x, y = round(left + 0.3 * (right - left)), round(top + 0.6 * (bottom - top))
    radius = 4
    frame = np.zeros((*size, 3), np.uint8)
    frame[y - radius : y + radius, x - radius : x + radius] = 255
    seen = preprocess.frame(frame)[..., 0].astype(float)
    rows, columns = np.indices(seen.shape)
    centre = (
        (columns * seen).sum() / seen.sum() + 0.5,
        (rows * seen).sum() / seen.sum() + 0.5,
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
def test_the_box_the_network_saw(size, resize, expected) -> None:
    box = Preprocess(resize, (112, 112), (0, 0, 0), (1, 1, 1)).geometry(*size).seen_box
    assert box == pytest.approx(expected, abs=1e-3)
