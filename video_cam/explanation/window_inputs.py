"""Windows of a clip as the network's input, on its device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from video_cam.models.preprocessing import Preprocess
from video_cam.utils.devices import sent


class WindowInputs:
    """Makes the network's input from windows of one clip.

    Frames go to the device as uint8, all new ones of a batch in one copy, and a frame that the
    batch before has had already is not copied again. They are normalised on the device. Only
    frames of the last batch are kept there.
    """

    def __init__(self, preprocess: Preprocess, device: torch.device) -> None:
        """Bind what makes tensors from frames.

        Args:
            preprocess: the network's.
            device: the network's.
        """
        self._preprocess, self._device = preprocess, device
        self._held: dict[int, Tensor] = {}

    def __call__(
        self, frame_indices: Sequence[Sequence[int]], frames: Sequence[np.ndarray]
    ) -> Tensor:
        """The input of one batch of windows.

        Args:
            frame_indices: of each window the T source indices of its frames.
            frames: of each window uint8 (T, H, W, 3) RGB, resized and cropped.

        Returns:
            float32 (N, 3, T, H, W) on the device, as ``Preprocess.tensor`` makes it.
        """
        if self._preprocess.flow:  # its pictures depend on a frame's neighbours in the window
            return self._preprocess.tensor(np.stack(frames), self._device)
        given = {
            index: frame
            for indices, window in zip(frame_indices, frames, strict=True)
            for index, frame in zip(indices, window, strict=True)
        }
        self._held = {index: held for index, held in self._held.items() if index in given}
        new = [index for index in given if index not in self._held]
        if new:
            copied = sent(torch.from_numpy(np.stack([given[index] for index in new])), self._device)
            self._held.update(zip(new, copied, strict=True))
        stacked = torch.stack([self._held[i] for indices in frame_indices for i in indices])
        return self._preprocess.normalized(stacked.unflatten(0, (len(frames), -1)))
