"""torchvision's video classifiers, with the frame rates its own evaluation used."""

from __future__ import annotations

from fractions import Fraction

from torchvision.models import get_model_weights
from torchvision.models import video as torchvision_video

from video_cam.models.preprocessing import Preprocess
from video_cam.models.spec import Row


def _row(name: str, num_frames: int, where: str, when: str, rate: str = "15") -> Row:
    """A row from torchvision's own weights entry."""
    builder = getattr(torchvision_video, name)
    entries = get_model_weights(name)
    preset = entries.DEFAULT.transforms()
    resize = tuple(preset.resize_size)
    return Row(
        build=lambda classes: builder(weights=None, num_classes=classes),
        pretrained={entry.name: entry for entry in [entries.DEFAULT, *entries]},
        labels=tuple(entries.DEFAULT.meta["categories"]),
        num_frames=num_frames,
        frame_rate=Fraction(rate),
        preprocess=Preprocess(
            resize=resize[0] if len(resize) == 1 else resize,
            crop=tuple(preset.crop_size),
            mean=tuple(preset.mean),
            std=tuple(preset.std),
        ),
        where=where,
        when=when,
    )


# The last block of MViT has only its class token read, so the map is of what that token reads.
ROWS = {
    "r3d_18": _row("r3d_18", 16, "layer4", "layer3"),
    "mc3_18": _row("mc3_18", 16, "layer4", "layer4"),
    "r2plus1d_18": _row("r2plus1d_18", 16, "layer4", "layer3"),
    "s3d": _row("s3d", 128, "features", "features.12"),
    "mvit_v1_b": _row("mvit_v1_b", 16, "blocks.15.norm1", "blocks.15.norm1", "7.5"),
    "mvit_v2_s": _row("mvit_v2_s", 16, "blocks.15.norm1", "blocks.15.norm1", "7.5"),
    "swin3d_t": _row("swin3d_t", 32, "features", "features"),
    "swin3d_s": _row("swin3d_s", 32, "features", "features"),
    "swin3d_b": _row("swin3d_b", 32, "features", "features"),
}
