"""A method of the whole input that costs nothing, for tests of what surrounds it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from video_cam.attribution.input_maps import InputMaps
from video_cam.attribution.input_methods import INPUT_METHODS, InputMethod
from video_cam.attribution.method_inputs import TargetPass
from video_cam.layers.alignment import CellCentres


def quick_input_method(
    monkeypatch: pytest.MonkeyPatch, name: str, layer: str = "input"
) -> list[int]:
    """Put a method in the place of ``name``: its map is the score, negative in the first cell.

    Returns:
        The number of targets of each call, appended as calls are made.
    """
    calls: list[int] = []

    def compute(targets: Sequence[TargetPass]) -> InputMaps:
        calls.append(len(targets))
        signs = torch.ones(2, 1, 2)
        signs[0, 0, 0] = -1
        maps = [one.scores.detach()[:, None, None, None] * signs for one in targets]
        centres = CellCentres(np.array([1.0, 5.0]), np.array([5.0]), np.array([2.0, 6.0]))
        return InputMaps(maps, centres)

    monkeypatch.setitem(INPUT_METHODS, name, InputMethod(compute, lambda size, config: 5, layer))
    return calls
