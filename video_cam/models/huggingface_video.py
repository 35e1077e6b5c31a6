"""What configuration files of transformers do not say of networks of videos, by their kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

# Frames per second of the clips of Kinetics and Diving48, and of Something-Something v2, whose
# clips last four seconds in the mean (Goyal et al. 2017).
_RATE, _SSV2_RATE, _SSV2_SECONDS = Fraction(30), Fraction(12), 4

# (frames in one input, whether it was trained on Something-Something v2) -> their rate
_Rate = Callable[[int, bool], Fraction]


@dataclass(frozen=True)
class VideoFamily:
    """A kind of networks of videos.

    Attributes:
        rate: frames per second of the input, as published checkpoints were trained.
        layer: the default layer, ``{last}`` being the number of the last block. It is the input
            of the last block's attention where the head reads only a class token.
        space_first: as in ModelSpec.
    """

    rate: _Rate
    layer: str
    space_first: bool = False

    def frame_rate(self, num_frames: int, labels: Sequence[str]) -> Fraction:
        """Frames per second of an input of so many frames, for a network with these classes."""
        # Its classes are sentences such as "Pushing something from left to right".
        of_ssv2 = sum("something" in label.lower() for label in labels) * 2 > len(labels)
        return self.rate(num_frames, of_ssv2)

    def default_layer(self, config: Any) -> str:
        """The default layer of a network with this configuration of transformers."""
        layer = self.layer.format(last=config.num_hidden_layers - 1)
        if config.model_type == "videomae" and not config.use_mean_pooling:
            layer += ".layernorm_before"  # the head reads one token, not the mean over all
        return layer


def _spread(num_frames: int) -> Fraction:
    """The rate of frames that are spread over a whole clip of Something-Something v2."""
    return Fraction(num_frames, _SSV2_SECONDS)


def _videomae(num_frames: int, of_ssv2: bool) -> Fraction:
    return _spread(num_frames) if of_ssv2 else _RATE / 4  # 16 frames, every 4th


def _timesformer(num_frames: int, of_ssv2: bool) -> Fraction:
    """8 frames, every 32nd; 16, every 16th; 96, every 4th."""
    step = {16: 16, 96: 4}.get(num_frames, 32)
    return _spread(num_frames) if of_ssv2 else _RATE / step


def _vivit(_num_frames: int, _of_ssv2: bool) -> Fraction:
    return _RATE / 2  # 32 frames, every 2nd


def _vjepa2(num_frames: int, of_ssv2: bool) -> Fraction:
    """16 frames, every 4th; 32 or 64, every 2nd."""
    return (_SSV2_RATE if of_ssv2 else _RATE) / (4 if num_frames <= 16 else 2)


VIDEO_FAMILIES = {
    "videomae": VideoFamily(_videomae, "videomae.encoder.layer.{last}"),
    "timesformer": VideoFamily(
        _timesformer, "timesformer.encoder.layer.{last}.layernorm_before", space_first=True
    ),
    "vivit": VideoFamily(_vivit, "vivit.layers.{last}.layernorm_before"),
    "vjepa2": VideoFamily(_vjepa2, "vjepa2.encoder.layernorm"),
}
