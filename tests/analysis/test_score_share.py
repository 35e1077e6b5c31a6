"""What a share of a score is, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from video_cam.analysis.score_share import ScoreShare


@pytest.mark.parametrize(
    ("shares", "is_there", "sign", "of"),
    [
        # Probabilities are counted from 0, whatever a blank clip has.
        (ScoreShare(0.8, 0.4, True), True, 1.0, {0.8: 1.0, 0.4: 0.5, 0.9: 1.125}),
        (ScoreShare(0.1, 0.4, True), True, 1.0, {0.09: 0.9}),
        (ScoreShare(0.0, 0.4, True), False, 1.0, {}),
        # Logits are counted from the blank clip, also negative ones.
        (ScoreShare(-1.0, -5.0, False), True, 1.0, {-1.0: 1.0, -5.0: 0.0, -1.4: 0.9}),
        (ScoreShare(-5.0, -1.0, False), False, 1.0, {}),
        (ScoreShare(3.0, 3.0 - 1e-6, False), False, 1.0, {}),
        # A function's value may fall.
        (ScoreShare(-5.0, -1.0, False, True), True, -1.0, {-5.0: 1.0, -4.6: 0.9, -1.0: 0.0}),
        (ScoreShare(2.0, 1.0, False, True), True, 1.0, {1.5: 0.5}),
        (ScoreShare(1.0, 1.0, False, True), False, 1.0, {}),
    ],
)
def test_shares(shares: ScoreShare, is_there: bool, sign: float, of: dict[float, float]) -> None:
    assert shares.is_there is is_there and shares.sign == sign
    for score, share in of.items():
        assert float(shares.of(np.array(score))) == pytest.approx(share)
