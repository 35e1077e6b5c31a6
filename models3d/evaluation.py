"""Accuracy of a network on held-out drawn clips."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from models3d.recipe import FIRST_TRAINING_SEED
from models3d.residual3d import NUM_FRAMES, SIZE, preprocess
from models3d.scene import Frames
from models3d.tasks import TASKS


@torch.inference_mode()
def predict(net: nn.Module, frames: Frames, batch_size: int = 32) -> np.ndarray:
    """The best class of each clip.

    Args:
        net: in eval mode, on any device.
        frames: uint8 (N, T, H, W, 3), RGB.
        batch_size: clips in one forward pass.

    Returns:
        int64 (N,) class ids.
    """
    device = next(net.parameters()).device
    batches = preprocess(torch.from_numpy(frames)).split(batch_size)
    return np.concatenate([net(x.to(device)).argmax(1).cpu().numpy() for x in batches])


def evaluate(net: nn.Module, num_clips: int, network: str = "motion3d") -> dict[str, float]:
    """Accuracy on the first ``num_clips`` held-out seeds.

    Args:
        net: in eval mode, on any device.
        num_clips: number of seeds.
        network: of ``tasks.TASKS``.

    Returns:
        Accuracy in [0, 1] under "all" (of all classes but "nothing"), under the name of each
        class, and under "nothing" (of the same clips drawn without what shows their class).

    Raises:
        ValueError: there are not so many held-out seeds.
    """
    check_held_out(num_clips)
    task = TASKS[network]
    frames, class_ids, _ = task.draw_batch(range(num_clips), num_frames=NUM_FRAMES, size=SIZE)
    correct = predict(net, frames) == class_ids
    by_class = [(name, correct[class_ids == i]) for i, name in enumerate(task.classes)]
    accuracy = {name: float(part.mean()) for name, part in by_class if len(part)}
    empty, _, _ = task.draw_batch(range(num_clips), version=task.without)
    nothing = float((predict(net, empty) == task.nothing).mean())
    return {"all": float(correct.mean()), **accuracy, task.classes[task.nothing]: nothing}


def check_held_out(num_clips: int) -> None:
    """Raise ValueError unless there are as many held-out seeds."""
    if not 0 < num_clips <= FIRST_TRAINING_SEED:
        raise ValueError(
            f"{num_clips} held-out clips: expected 1 to {FIRST_TRAINING_SEED}, the number of "
            "held-out seeds"
        )
