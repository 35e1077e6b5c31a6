"""Drawn clips in class folders, a damaged checkpoint, and what networks say of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import nn

from models3d.drawn_clips import CLASSES, NOTHING, draw_clip
from models3d.motion3d import load_trained
from models3d.residual3d import FRAME_RATE, NUM_FRAMES, preprocess
from tests.support.media import read_frames, write_clip

FIRST_SEED = 51_000
SWAPPED = tuple(map(CLASSES.index, ("grow", "spin")))


def write_labelled_clips(folder: Path, num_clips: int) -> list[Path]:
    """Clips of one window each, of all classes by turns, in folders named after their classes."""
    clips = []
    for number in range(num_clips):
        class_id, seed = number % len(CLASSES), FIRST_SEED + number
        version = "without event" if class_id == NOTHING else "whole"
        wanted = None if class_id == NOTHING else class_id
        drawn = draw_clip(seed, class_id=wanted, num_frames=NUM_FRAMES, version=version)
        clip = folder / CLASSES[class_id].replace(" ", "_") / f"{seed}.mp4"
        clip.parent.mkdir(parents=True, exist_ok=True)
        write_clip(clip, list(drawn.frames), time_base=Fraction(1, FRAME_RATE))
        clips.append(clip)
    return sorted(clips)


def damaged_network() -> nn.Module:
    """The bundled network that takes two classes for each other, and nothing for much."""
    network = load_trained()
    with torch.no_grad():
        for parameter in (network.fc.weight, network.fc.bias):
            parameter[list(SWAPPED)] = parameter[list(SWAPPED[::-1])].clone()
        network.fc.bias[NOTHING] += 2
    return network


def truth_of(clip: Path) -> str:
    """The class by the name of its folder."""
    return clip.parent.name.replace("_", " ")


@torch.no_grad()
def predictions(network: nn.Module, clips: Sequence[Path]) -> dict[str, str]:
    """Clip, as folder/name -> the class that a network predicts, without video_cam's pipeline."""
    frames = [np.stack([frame.rgb() for frame in read_frames(clip)]) for clip in clips]
    logits = network.eval()(preprocess(torch.from_numpy(np.stack(frames))))
    names = [f"{clip.parent.name}/{clip.name}" for clip in clips]
    return {
        name: CLASSES[best] for name, best in zip(names, logits.argmax(1).tolist(), strict=True)
    }
