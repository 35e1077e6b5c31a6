"""Networks of other channels than RGB: what they are given, and what a wrong number leads to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import video_cam
from video_cam import UsageError, load_model
from video_cam.config import InputConfig
from video_cam.models.channels import flow_pictures, normalization
from video_cam.models.preprocessing import Preprocess

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Recorder(nn.Module):
    """A network with ``channels`` inputs that keeps what it was given last."""

    def __init__(self, channels: int, is_2d: bool = False) -> None:
        super().__init__()
        kind = nn.Conv2d if is_2d else nn.Conv3d
        self.conv = kind(channels, 4, 3, stride=2 if is_2d else (1, 2, 2), padding=1)
        self.fc = nn.Linear(4, 3)
        self.axes = (2, 3) if is_2d else (2, 3, 4)

    def forward(self, x: Tensor) -> Tensor:
        self.given = x.detach()
        return self.fc(self.conv(x).relu().mean(self.axes))


def moving_texture(frames: int, right: int, down: int, side: int = 48) -> np.ndarray:
    """uint8 (frames, side, side, 3): a smooth random texture that moves by whole pixels."""
    noise = np.random.default_rng(0).random((side * 2, side * 2)).astype(np.float32)
    smooth = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    texture = np.repeat(smooth.astype(np.uint8)[..., None], 3, 2)
    start = side // 2
    return np.stack(
        [texture[start - down * i :, start - right * i :][:side, :side] for i in range(frames)]
    )


def given(frames: np.ndarray, network: Recorder, **options: Any) -> Tensor:
    """What the network gets of uint8 frames (T, H, W, 3), by way of load_model."""
    model = load_model(
        network, num_frames=len(frames), size=frames.shape[1:3], frame_rate=8, **options
    )
    x = model.preprocess.tensor(np.stack([model.preprocess.frame(one) for one in frames])[None])
    model.module(x)
    return network.given if model.module is network else model.module.given


def test_blue_first_in_the_range_of_bytes() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, 16, 16, 3), np.uint8)
    x = given(frames, Recorder(3), channels="bgr", value_range=255, mean=(104, 117, 123))
    expected = frames[..., ::-1].astype(np.float32) - np.float32([104, 117, 123])
    assert torch.allclose(x[0].permute(1, 2, 3, 0), torch.tensor(expected.copy()), atol=1e-4)
    # Without numbers, the values are those of the pictures.
    x = given(frames, Recorder(3), value_range=255)
    assert torch.allclose(x[0].permute(1, 2, 3, 0), torch.tensor(frames).float(), atol=1e-4)


def test_the_numbers_of_each_colour_stay_with_it() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, 16, 16, 3), np.uint8)
    rgb = given(frames, Recorder(3))
    bgr = given(frames, Recorder(3), channels="bgr")
    assert torch.equal(bgr, rgb.flip(1))


def test_gray_is_that_of_opencv() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, 16, 16, 3), np.uint8)
    x = given(frames, Recorder(1), channels="gray", mean=(0.5,), std=(0.25,))
    gray = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])
    assert x.shape == (1, 1, 4, 16, 16)
    # OpenCV rounds to whole numbers.
    assert np.abs((x[0, 0].numpy() * 0.25 + 0.5) * 255 - gray).max() <= 0.51


@pytest.mark.parametrize(("right", "down"), [(3, 2), (-2, 4), (0, 0)])
def test_flow_is_the_motion_in_pixels(right: int, down: int) -> None:
    pictures = flow_pictures(moving_texture(3, right, down)[None])
    middle = pictures[0, :2, 12:-12, 12:-12, :2].mean((0, 1, 2)) / 255 * 40 - 20
    assert np.abs(middle - (right, down)).max() < 0.2
    assert (pictures[0, -1, ..., :2] == 127.5).all() and not pictures[..., 2].any()


def test_flow_beyond_the_limit_counts_as_the_limit(monkeypatch) -> None:
    class Fast:
        def calc(self, first: np.ndarray, second: np.ndarray, flow: np.ndarray) -> np.ndarray:
            return np.dstack([np.full(first.shape, 30.0), np.full(first.shape, -30.0)])

    monkeypatch.setattr(cv2.DISOpticalFlow, "create", lambda preset: Fast())
    pictures = flow_pictures(np.zeros((1, 2, 16, 16, 3), np.uint8))
    assert (pictures[0, 0, ..., 0] == 255).all() and (pictures[0, 0, ..., 1] == 0).all()


def test_fields_of_flow_are_stacked_right_and_down_in_turn() -> None:
    frames = moving_texture(6, 3, 2)
    x = given(frames, Recorder(10, is_2d=True), channels="flow", layout="stacked")
    assert x.shape == (1, 10, 48, 48)
    means = x[0, :, 12:-12, 12:-12].mean((1, 2)) * 20  # -20 ... 20 pixels are -1 ... 1
    assert torch.allclose(means, torch.tensor([3.0, 2.0] * 5), atol=0.2)
    clip = given(frames, Recorder(2), channels="flow")
    assert clip.shape == (1, 2, 5, 48, 48)
    assert torch.equal(x, clip.transpose(1, 2).flatten(1, 2))


def test_frames_are_stacked_one_after_the_other() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, 16, 16, 3), np.uint8)
    x = given(frames, Recorder(12, is_2d=True), layout="stacked")
    clip = given(frames, Recorder(3))
    assert torch.equal(x[0, 6:9], clip[0, :, 2])
    gray = given(frames, Recorder(4, is_2d=True), layout="stacked", channels="gray")
    assert gray.shape == (1, 4, 16, 16)


@pytest.mark.parametrize("layout", ["NTCHW", "list", "frames"])
def test_other_layouts_take_the_same_channels(layout: str) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, 16, 16, 3), np.uint8)

    class Gray(Recorder):
        def forward(self, x: Any) -> Tensor:
            x = x[-1] if layout == "list" else x
            return super().forward(x.transpose(1, 2) if layout == "NTCHW" else x)

    network = Gray(1, is_2d=layout == "frames")
    x = given(frames, network, channels="gray", layout=layout)
    clip = given(frames, Recorder(1), channels="gray")
    assert torch.equal(x, clip[0].transpose(0, 1) if layout == "frames" else clip)


@pytest.mark.parametrize(
    ("options", "mean", "std"),
    [
        ({}, *IMAGENET),
        ({"channels": "bgr"}, *IMAGENET),
        ({"channels": "bgr", "mean": (1, 2, 3)}, (3, 2, 1), IMAGENET[1]),
        ({"channels": "gray"}, (0.45898,) * 3, (0.22561,) * 3),
        ({"channels": "gray", "std": (2,)}, (0.45898,) * 3, (2, 2, 2)),
        ({"channels": "gray", "mean": 1, "std": 2.5}, (1, 1, 1), (2.5, 2.5, 2.5)),
        ({"channels": "flow"}, (0.5, 0.5, 0), (0.5, 0.5, 1)),
        ({"channels": "flow", "mean": (0.4,), "std": (1, 2)}, (0.4, 0.4, 0), (1, 2, 1)),
        ({"value_range": 255}, (0, 0, 0), (1, 1, 1)),
        ({"value_range": 255, "mean": (1, 2, 3)}, (1, 2, 3), (1, 1, 1)),
    ],
)
def test_mean_and_std(options: dict[str, Any], mean: Any, std: Any) -> None:
    found = normalization(IMAGENET, InputConfig(**options))
    assert found == (pytest.approx(mean, abs=1e-4), pytest.approx(std, abs=1e-4))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"channels": "grey"}, "unknown channels 'grey': did you mean gray"),
        ({"channels": "rgbd"}, r"holds no depth .*returns torch.cat\(\[clip, depth\], 1\)"),
        ({"channels": "gray", "mean": (1, 2, 3)}, "must be one number, for grey"),
        ({"channels": "flow", "std": (1, 2, 3)}, "must be two numbers, for flow"),
        ({"channels": "bgr", "mean": (1,)}, "must be three numbers, for blue, green and red"),
        ({"mean": (1,)}, "must be three numbers, for red, green and blue"),
        ({"mean": 0.5}, r"mean \(0.5,\) must be three numbers, for red, green and blue"),
        ({"value_range": 0}, "value_range 0 must be above 0"),
        ({"channels": "flow", "layout": "frames"}, "optical flow lies between two frames"),
        ({"channels": "flow", "size": (8, 32)}, "too small for optical flow: give at least 12"),
    ],
)
def test_wrong_values(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_model(Recorder(3), **({"size": (16, 16), "num_frames": 4} | options))


@pytest.mark.parametrize(
    ("network", "options", "words"),
    [
        (Recorder(1), {}, "takes 1 channel and is given 3: add --channels gray"),
        (Recorder(2), {}, "takes 2 channels and is given 3: add --channels flow"),
        (Recorder(4), {}, r"--input-factory .*torch.cat\(\[clip, depth\(path, times\)\], 1\)"),
        (Recorder(3), {"channels": "gray"}, "and is given 1: give --channels rgb or bgr"),
        (
            Recorder(20, is_2d=True),
            {},
            r"takes 20 .*--channels flow --layout-in stacked --num-frames 11",
        ),
        (
            Recorder(20, is_2d=True),
            {"channels": "flow", "layout": "stacked"},
            "and is given 6: .*--num-frames 11",
        ),
        (Recorder(9, is_2d=True), {}, "--layout-in stacked --num-frames 3"),
        (Recorder(7), {}, "arguments in a function of yours, --input-factory"),
    ],
)
def test_another_number_of_channels_is_told_before_the_run(
    network: Recorder, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        load_model(network, num_frames=4, size=(16, 16), **options)
    assert "\n" not in str(caught.value)


def test_other_errors_keep_their_message() -> None:
    class Broken(Recorder):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("no such table")

    with pytest.raises(UsageError, match="no such table"):
        load_model(Broken(3), num_frames=4, size=(16, 16))


def test_a_map_of_flow_lies_on_the_frames_that_move(tmp_path: Path) -> None:
    """A network that adds up motion to the right: its map is where and when there is some."""
    side, num_frames, moving = 48, 12, range(4, 8)
    frames = moving_texture(num_frames, 0, 0, side)
    patch = 255 - frames[0, :16, :16]
    x = 4
    for index in range(num_frames):
        x += 3 if index - 1 in moving else 0  # it moves from each of these frames to the next
        frames[index, 16:32, x : x + 16] = patch
    folder = tmp_path / "clip"
    folder.mkdir()
    for index, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{index:03d}.png"), frame[..., ::-1])

    class Rightward(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv3d(2, 1, (1, 4, 4), stride=(1, 4, 4), bias=False)
            self.conv.weight.data = (
                torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1, 1).expand(1, 2, 1, 4, 4).clone()
            )

        def forward(self, x: Tensor) -> Tensor:
            return (self.conv(x) - 0.5).relu().mean((2, 3, 4))

    model = load_model(Rightward(), num_frames=num_frames, size=(side, side), channels="flow")
    explanation = video_cam.explain(
        folder, model, methods=["layercam"], layers=["conv"], sampling="uniform", check=False
    )
    [cells] = explanation.maps[0].values.clip(0)  # (11, 12, 12)
    assert cells.shape == (num_frames - 1, 12, 12)
    in_time = cells.sum((1, 2))
    assert set(np.flatnonzero(in_time > 0.2 * in_time.max())) == set(moving)
    assert cells[:, 4:8].sum() > 0.8 * cells.sum()


def test_preprocessing_without_these_options_is_as_before() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (1, 2, 8, 8, 3), np.uint8)
    preprocess = Preprocess((8, 8), (8, 8), *IMAGENET)
    mean, std = (torch.tensor(values).reshape(3, 1, 1, 1) for values in IMAGENET)
    x = torch.tensor(frames).permute(0, 4, 1, 2, 3).float()
    assert torch.equal(preprocess.tensor(frames), (x / 255 - mean) / std)
