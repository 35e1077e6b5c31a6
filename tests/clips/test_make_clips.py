"""The sample clips show what they were drawn from, and the bundled network classifies them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from clips import make_clips
from models3d import EVENTS, draw_clip, load_trained
from models3d.evaluation import predict


def read_video(path: Path) -> tuple[np.ndarray, float]:
    """uint8 (T, H, W, 3) frames, and frames per second."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return np.stack(frames), float(stream.average_rate or 0)


@pytest.mark.parametrize("name", make_clips.SAMPLES)
def test_sample_shows_its_drawing_and_is_classified_correctly(name: str) -> None:
    path = Path(make_clips.__file__).with_name(f"{name}.mp4")
    frames, rate = read_video(path)
    drawn = make_clips.draw_sample(name)
    assert frames.shape == (32, 256, 256, 3) and rate == 16 and path.stat().st_size < 300_000
    # The mean error of the compression.
    assert np.abs(frames.astype(int) - drawn.frames).mean() < 6

    small = np.stack([cv2.resize(f, (64, 64), interpolation=cv2.INTER_AREA) for f in frames])
    first, last = max(drawn.event[1] - 16, 0), min(drawn.event[0], 32 - 16)
    windows = np.stack([small[start : start + 16] for start in range(first, last + 1)])
    predictions = predict(load_trained(), windows)
    assert predictions.tolist() == [drawn.class_id] * len(windows)


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    frames = draw_clip(0, num_frames=4).frames
    for name in ("once.mp4", "again.mp4"):
        make_clips.write_video(tmp_path / name, frames, 8)
    assert (tmp_path / "once.mp4").read_bytes() == (tmp_path / "again.mp4").read_bytes()
    written, rate = read_video(tmp_path / "once.mp4")
    assert written.shape == frames.shape and rate == 8


def test_seeds_are_found_whose_event_is_visible_and_classified() -> None:
    seed, _ = make_clips.SAMPLES["grow"]
    [(probability, found)] = make_clips.find("grow", range(seed, seed + 1))
    assert found == seed and 0.9 < probability <= 1


def test_an_actor_at_the_edge_is_not_in_full_view() -> None:
    event = make_clips.EVENT
    options: dict[str, Any] = {"class_id": EVENTS.index("grow"), "num_frames": 32, "event": event}
    clips = [draw_clip(seed, difficulty=0.0, **options) for seed in range(20)]
    in_view = [make_clips._in_full_view(clip) for clip in clips]
    at_edge = [_touches_edge(clip.mask[slice(*event)]) for clip in clips]
    assert sum(in_view) > 3 and sum(at_edge) > 3
    assert not np.any(np.array(in_view) & np.array(at_edge))


def _touches_edge(mask: np.ndarray) -> bool:
    return bool(mask[:, [0, -1]].any() or mask[:, :, [0, -1]].any())
