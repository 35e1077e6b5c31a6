"""Frames become what the processors of transformers make of them, number by number."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.models import ConvNeXt_Tiny_Weights

from video_cam.models.huggingface_processor import COMPARED, read_processor, without_processor
from video_cam.models.preprocessing import Preprocess
from video_cam.models.registry import known_models

transformers = pytest.importorskip("transformers")

COMMON: dict[str, Any] = {
    **{"do_resize": True, "do_rescale": True, "do_normalize": True, "do_center_crop": True},
    **{"resample": 2, "rescale_factor": 1 / 255, "crop_size": {"height": 224, "width": 224}},
}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
VIDEOMAE = {"image_processor_type": "VideoMAEImageProcessor", "size": {"shortest_edge": 224}}
VIVIT = {"image_processor_type": "VivitImageProcessor", "size": {"shortest_edge": 256}}
HALVES = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
VJEPA2 = {"video_processor_type": "VJEPA2VideoProcessor", "size": {"shortest_edge": 292}}
# The settings of published checkpoints: kind of network -> settings, resize, crop.
PUBLISHED: dict[str, tuple[dict[str, Any], int, tuple[int, int]]] = {
    # MCG-NJU/videomae-base-finetuned-kinetics
    "videomae": (COMMON | IMAGENET | VIDEOMAE, 224, (224, 224)),
    # facebook/timesformer-base-finetuned-k400
    "timesformer": (
        COMMON | VIDEOMAE | {"image_mean": [0.45] * 3, "image_std": [0.225] * 3},
        224,
        (224, 224),
    ),
    # google/vivit-b-16x2-kinetics400
    "vivit": (
        COMMON | HALVES | VIVIT | {"rescale_factor": 1 / 127.5, "offset": True},
        256,
        (224, 224),
    ),
    # facebook/vjepa2-vitl-fpc16-256-ssv2
    "vjepa2": (
        COMMON | IMAGENET | VJEPA2 | {"crop_size": {"height": 256, "width": 256}},
        292,
        (256, 256),
    ),
}
SIZES = [(479, 641), (1281, 718), (97, 151)]


def picture(height: int, width: int) -> np.ndarray:
    """Blobs and fine noise, uint8 (height, width, 3): a resize that skips pixels shows."""
    rng = np.random.default_rng(height)
    blobs = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    smooth = cv2.resize(blobs, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return (smooth + rng.integers(-60, 60, smooth.shape)).clip(0, 255).astype(np.uint8)


def ours(preprocess: Preprocess, frame: np.ndarray) -> Tensor:
    """(3, height, width)."""
    return preprocess.tensor(preprocess.frame(frame)[None, None])[0, :, 0]


def theirs(class_name: str, settings: dict[str, Any], frame: np.ndarray) -> Tensor:
    """The same of transformers' processor."""
    processor = getattr(transformers, class_name).from_dict(dict(settings))
    values = processor([frame], return_tensors="pt")
    found = torch.as_tensor(next(iter(values.values())))  # (1, [1,] 3, height, width)
    return found.reshape(found.shape[-3:])


def levels(found: Tensor, expected: Tensor, preprocess: Preprocess) -> Tensor:
    """Differences in levels of 255."""
    std = torch.tensor(preprocess.std).reshape(3, 1, 1)
    return (found - expected).abs() * std * 255


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", PUBLISHED)
def test_frames_of_published_networks_are_those_of_their_processors(kind: str, size) -> None:
    settings, resize, crop = PUBLISHED[kind]
    processor = read_processor(settings, kind, 32)
    assert (processor.preprocess.resize, processor.preprocess.crop) == (resize, crop)
    assert processor.notes == ()
    frame = picture(*size)
    class_name = settings.get("image_processor_type") or settings["video_processor_type"]
    expected = theirs(class_name, settings, frame)
    found = ours(processor.preprocess, frame)
    assert found.shape == expected.shape == (3, *crop)
    difference = levels(found, expected, processor.preprocess)
    if kind == "vivit":  # computes with Pillow, the others with torchvision
        assert difference.max() < 1.001 and (difference > 1e-3).float().mean() < 0.01
    else:
        assert difference.max() < 1e-3


def test_vivit_is_that_of_its_processor_of_videos() -> None:
    settings = PUBLISHED["vivit"][0]
    frame = picture(*SIZES[0])
    processor = read_processor(
        {"video_processor_type": "VivitVideoProcessor"} | settings, "vivit", 32
    )
    expected = theirs("VivitVideoProcessor", settings, frame)
    assert levels(ours(processor.preprocess, frame), expected, processor.preprocess).max() < 1e-3


IMAGES = [name for name in COMPARED if name.endswith("ImageProcessor") and "Vi" not in name[:5]]


@pytest.mark.parametrize("class_name", ["ViTImageProcessor", *IMAGES])
def test_the_defaults_of_processors_of_images(class_name: str) -> None:
    frame = picture(*SIZES[0])
    settings = {"image_processor_type": class_name, "do_resize": True}
    preprocess = read_processor(settings, "", 224).preprocess
    expected = theirs(class_name, {}, frame)
    assert levels(ours(preprocess, frame), expected, preprocess).max() < 1e-3


@pytest.mark.parametrize(
    ("settings", "level", "value"),
    [
        ({"do_normalize": False}, 255, 1.0),
        ({"do_rescale": False, "do_normalize": False}, 51, 51.0),
        ({"rescale_factor": 1 / 127.5, "offset": True, "do_normalize": False}, 255, 1.0),
        ({"rescale_factor": 1 / 127.5, "offset": True, "do_normalize": False}, 0, -1.0),
        ({"rescale_factor": 1 / 127.5, "offset": True}, 0, -3.0),
        (
            {"image_mean": 0.5, "image_std": 0.25, "offset": False, "rescale_factor": 1 / 255},
            0,
            -2.0,
        ),
    ],
)
def test_values_of_grey_frames(settings: dict[str, Any], level: int, value: float) -> None:
    preprocess = read_processor(settings, "vivit", 32).preprocess
    found = ours(preprocess, np.full((40, 50, 3), level, np.uint8))
    assert found.shape == (3, 32, 32)
    torch.testing.assert_close(found, torch.full((3, 32, 32), value))


def test_the_box_is_where_the_crop_is() -> None:
    """A frame that brightens to the right and down: what is cropped tells where it was."""
    for kind, (settings, _, _) in PUBLISHED.items():
        preprocess = read_processor(settings, kind, 32).preprocess
        for height, width in SIZES[:2]:
            y, x = np.indices((height, width))
            ramp = np.stack([x * 255 / width, y * 255 / height, 0 * x], 2).astype(np.uint8)
            cropped = preprocess.frame(ramp).astype(float)
            left, top, right, bottom = preprocess.geometry(height, width).seen_box
            seen_x = cropped[..., 0].mean() * width / 255
            seen_y = cropped[..., 1].mean() * height / 255
            assert seen_x == pytest.approx((left + right) / 2, abs=1.5 * width / 255)
            assert seen_y == pytest.approx((top + bottom) / 2, abs=1.5 * height / 255)


def test_what_a_network_without_a_processor_gets_is_said() -> None:
    processor = without_processor(48)
    assert processor.preprocess.crop == (48, 48) and processor.preprocess.mean[0] == 0.485
    assert processor.notes[0].text.startswith(
        "no preprocessor_config.json or video_preprocessor_config.json"
    )


def test_a_processor_of_an_unknown_kind_is_said() -> None:
    settings = {"image_processor_type": "LevitImageProcessor", "size": {"shortest_edge": 224}}
    assert (
        "LevitImageProcessor is not one of those" in read_processor(settings, "", 224).notes[0].text
    )


def test_a_size_that_is_not_followed_is_said() -> None:
    settings = {"image_processor_type": "ViTImageProcessor", "size": {"longest_edge": 64}}
    processor = read_processor(settings, "vit", 32)
    assert processor.preprocess.resize == (32, 32)
    assert "frames are resized to 32x32, the network's input" in processor.notes[0].text


@pytest.mark.parametrize("size", SIZES[:2])
def test_image_classifiers_of_torchvision_get_its_own_input(size) -> None:
    preprocess = known_models()["convnext_tiny"].preprocess
    frame = picture(*size)
    expected = ConvNeXt_Tiny_Weights.DEFAULT.transforms()(torch.from_numpy(frame).permute(2, 0, 1))
    difference = levels(ours(preprocess, frame), expected, preprocess)
    # torchvision resizes floating-point numbers there, and rounds them.
    assert difference.max() < 1.001 and (difference > 1e-3).float().mean() < 0.2
