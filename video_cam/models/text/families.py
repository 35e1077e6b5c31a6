"""What the configuration files of networks of clips and texts do not say."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from video_cam.models.spec import FRAME_RATE, IMAGENET_MEAN, IMAGENET_STD

_CROPPING = ("CLIPImageProcessor", "VideoMAEImageProcessor")
# X-CLIP was trained on 8, 16 or 32 frames spread over clips of Kinetics, which take ten seconds.
_SECONDS_OF_CLIP = 10


@dataclass(frozen=True)
class TextFamily:
    """One kind of network that compares pictures or clips with texts.

    Attributes:
        templates: in which a text is put, where none is asked for.
        layer: the default layer, ``{last}`` being the number of the last block.
        method: what is taken where no method is named.
        score: how the score of a single text is shown, of ``choice_names.SCORE_KINDS``.
        score_of_several: the same of several texts.
        over_time: whether it takes clips, else single frames.
        lower: whether texts are written in small letters before they are encoded, as in training.
        pads: whether texts are filled up to the length that the network reads, as in training, and
            the filling is read, too.
        tokenizer_files: sets of files, one of which must be there.
        processor: entries of the preprocessing file, where that is missing; the rest are defaults
            of the class.
    """

    templates: tuple[str, ...]
    layer: str
    method: str = "attention-gradient"
    score: str = "raw"
    score_of_several: str = "softmax"
    over_time: bool = False
    lower: bool = False
    pads: bool = False
    tokenizer_files: tuple[tuple[str, ...], ...] = (
        ("tokenizer.json",),
        ("vocab.json", "merges.txt"),
    )
    processor: dict[str, Any] = field(default_factory=dict)

    def side(self, vision_config: Any) -> int:
        """Height and width of its input in pixels."""
        side = getattr(vision_config, "image_size", None)
        if side is not None:
            return side
        # SigLIP 2 of any size: a square of as many patches as in training.
        return int(vision_config.num_patches**0.5) * vision_config.patch_size

    def sizes(self, side: int) -> dict[str, Any]:
        """Entries of the preprocessing file, where that is missing, for an input of this side."""
        square = {"height": side, "width": side}
        crops = self.processor["image_processor_type"] in _CROPPING
        return {"size": {"shortest_edge": side} if crops else square, "crop_size": square}

    def frame_rate(self, num_frames: int) -> Fraction:
        """Frames per second of an input of this many frames."""
        return Fraction(num_frames, _SECONDS_OF_CLIP) if self.over_time else FRAME_RATE


# The scores read a class token of the last block: what its attention is given is the last grid. A
# block's output, which the next block normalises, has no share in the score by HiResCAM: the score
# does not change with its length.
_CLIP_LAYER = "vision_model.encoder.layers.{last}.layer_norm1"
_SIGLIP = TextFamily(
    templates=("This is a photo of {}.",),
    layer="vision_model.post_layernorm",  # the pooling by attention reads all of it
    score="sigmoid",
    score_of_several="sigmoid",
    lower=True,
    pads=True,
    tokenizer_files=(("tokenizer.json",), ("spiece.model",), ("tokenizer.model",)),
    processor={"image_processor_type": "SiglipImageProcessor"},
)
# By the ``model_type`` of the configuration.
FAMILIES: dict[str, TextFamily] = {
    "clip": TextFamily(
        templates=("a photo of {}",),
        layer=_CLIP_LAYER,
        processor={"image_processor_type": "CLIPImageProcessor"},
    ),
    "siglip": _SIGLIP,
    "siglip2": TextFamily(
        templates=_SIGLIP.templates,
        layer=_SIGLIP.layer,
        score="sigmoid",
        score_of_several="sigmoid",
        lower=True,
        pads=True,
        tokenizer_files=_SIGLIP.tokenizer_files,
        processor=_SIGLIP.processor | {"resample": 2},  # bilinear
    ),
    "xclip": TextFamily(
        templates=("{}",),
        layer=_CLIP_LAYER,
        method="hirescam",  # message tokens are made of several tokens: attention is not followed
        over_time=True,
        processor={
            "image_processor_type": "VideoMAEImageProcessor",
            "image_mean": IMAGENET_MEAN,
            "image_std": IMAGENET_STD,
        },
    ),
}
KNOWN = "CLIP, SigLIP, SigLIP 2 or X-CLIP"
