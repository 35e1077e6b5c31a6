"""Pictures of input gradients."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from video_cam import Explanation, UsageError
from video_cam.explanation.keyframe_gradients import WindowGradients
from video_cam.rendering.gradient_pictures import gradient_picture, write_gradient_pictures


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_picture_is_grey_where_the_gradient_is_zero_and_keeps_one_scale() -> None:
    assert (gradient_picture(torch.zeros(3, 2, 4, 5)) == 128).all()
    gradient = noise(3, 5, 20, 30)
    picture = gradient_picture(gradient)
    assert picture.shape == (5, 20, 30, 3) and picture.dtype == np.uint8
    assert picture.flags["C_CONTIGUOUS"]
    scale = np.percentile(gradient.abs().numpy(), 99.5)
    expected = 128 + 127 * np.clip(gradient.numpy() / scale, -1, 1)
    np.testing.assert_allclose(picture.transpose(3, 0, 1, 2), expected, atol=0.501)
    np.testing.assert_array_equal(gradient_picture(gradient * 1e-9), picture)
    dim = gradient.clone()
    dim[:, 1] *= 0.1  # a frame with a smaller gradient has less contrast
    assert np.ptp(gradient_picture(dim)[1].astype(int)) < 0.3 * np.ptp(picture[1].astype(int))


def test_a_picture_of_a_sparse_gradient_and_of_other_channels() -> None:
    sparse = torch.zeros(1, 2, 40, 40)
    sparse[0, 1, 3, 4], sparse[0, 0, 0, 0] = 2e-5, -1e-5
    picture = gradient_picture(sparse.bfloat16())
    assert picture[1, 3, 4].tolist() == [255] * 3
    assert picture[0, 0, 0].tolist() == [64] * 3
    assert (picture == 128).sum() == picture.size - 6
    two = noise(2, 4, 12, 10)
    np.testing.assert_array_equal(gradient_picture(two), gradient_picture(two.sum(0, keepdim=True)))


@pytest.mark.parametrize(
    ("gradient", "words"),
    [
        (noise(2, 3, 4, 12, 10), "shape (2, 3, 4, 12, 10) cannot be drawn"),
        (noise(3, 4, 12, 10) / 0, "cannot be drawn"),
    ],
)
def test_what_cannot_be_drawn_is_an_error_of_one_line(gradient, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        gradient_picture(gradient)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_frame_is_drawn_from_the_window_whose_middle_is_nearest(
    explanation: Explanation, tmp_path: Path
) -> None:
    windows = replace(explanation, frame_indices=np.array([[0, 1, 2, 3], [2, 3, 4, 5]]))
    gradients = [
        WindowGradients(
            np.full((4, 6, 8, 3), 100 * number, np.uint8),
            {"guided": [torch.zeros(3, 4, 6, 8)] * 2, "smoothgrad": [torch.ones(3, 4, 6, 8)]},
        )
        for number in range(2)
    ]
    write_gradient_pictures(tmp_path, windows, gradients)
    for kind, values in (("guided", [128, 128]), ("smoothgrad", [255])):
        files = sorted((tmp_path / kind).iterdir())
        assert [file.name for file in files] == [f"{i:06d}.png" for i in range(6)]
        # The network's input on the left tells which window a picture is from.
        inputs = [0, 0, 0, 100, 100, 100]
        for file, value in zip(files, inputs, strict=True):
            image = cv2.imread(str(file))
            assert image.shape == (6, 8 * (1 + len(values)), 3)
            assert image[0, ::8, 0].tolist() == [value, *values]


def test_pictures_have_square_pixels(explanation: Explanation, tmp_path: Path) -> None:
    """Of a network's input that is square in the file, of a clip whose pixels are wide."""
    clip = replace(explanation.clip, sample_aspect_ratio=Fraction(2))
    wide = replace(explanation, clip=clip, frame_indices=np.array([[0]]))
    gradients = WindowGradients(np.zeros((1, 8, 8, 3), np.uint8), {"guided": [noise(3, 1, 8, 8)]})
    write_gradient_pictures(tmp_path, wide, [gradients])
    assert cv2.imread(str(tmp_path / "guided" / "000000.png")).shape == (8, 32, 3)
