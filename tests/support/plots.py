"""Pictures of plots."""

from __future__ import annotations

import numpy as np


def panel_edges(picture: np.ndarray) -> tuple[int, int]:
    """The columns of the left and right line around the panels."""
    black = (picture == 0).all(-1).sum(0)
    columns = np.flatnonzero(black >= 190)  # as long as a panel is high
    return int(columns[0]), int(columns[-1])
