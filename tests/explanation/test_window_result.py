"""A clip's windows in parts: the same batches, the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.media import moving_square, write_clip
from video_cam.config import ExplainConfig
from video_cam.explanation.explainer import explain_part, explain_with
from video_cam.explanation.window_result import Part, split
from video_cam.video.scan import probe


@pytest.mark.parametrize(
    ("windows", "count", "batch_size", "sizes"),
    [
        (19, 8, 2, [4, 4, 4, 4, 3]),
        (19, 3, 4, [8, 8, 3]),
        (4, 8, 4, [4]),
        (1, 3, 4, [1]),
        (9, 9, 1, [1] * 9),
    ],
)
def test_parts_hold_whole_batches(windows, count, batch_size, sizes, sample_clip) -> None:
    _, timeline = probe(sample_clip)
    parts = split(Part("v.mp4", timeline, tuple(range(windows)), None), count, batch_size)
    assert [len(part.windows) for part in parts] == sizes
    assert sum((part.windows for part in parts), ()) == tuple(range(windows))


@pytest.mark.parametrize(
    "options", [ExplainConfig(class_ids=("grow",)), ExplainConfig(top_k=2, worst=True)]
)
def test_parts_put_together_are_the_whole(options: ExplainConfig, bundled, tmp_path) -> None:
    clip = str(write_clip(tmp_path / "v.mp4", moving_square(90)))
    asked = []

    def deal(part, batch_size):
        parts = split(part, 3, batch_size)
        asked.append(part.classes)
        return (explain_part(p, bundled, options) for p in reversed(parts))

    whole = explain_with(clip, bundled, options)
    dealt = explain_with(clip, bundled, options, deal=deal)
    assert asked[0] is None
    assert dealt.probabilities.tobytes() == whole.probabilities.tobytes()
    assert [m.class_id for m in dealt.maps] == [m.class_id for m in whole.maps]
    for a, b in zip(dealt.maps, whole.maps, strict=True):
        # A class that only a part, or only the whole, took for likely is explained in a second
        # reading, in batches of other windows.
        np.testing.assert_allclose(a.values, b.values, atol=1e-6)
