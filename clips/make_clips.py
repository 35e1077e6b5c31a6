"""Write the sample clips: ``python -m clips.make_clips``. Their truth can be drawn again.

After the bundled network has been trained anew, ``python -m clips.make_clips --find 100 400`` names
the seeds in that range that show the event best and that it reads best; SAMPLES has the choice.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import av
import numpy as np

from models3d.drawn_clips import CLASSES, DrawnClip, Frames, draw_clip

SIZE = 256
NUM_FRAMES = 32
EVENT = (11, 21)  # so that every 16-frame window of the clip sees some of it
FRAME_RATE = 16

SAMPLES: dict[str, tuple[int, str]] = {  # file stem -> (held-out seed, class)
    "dash_right": (185, "dash right"),
    "spin": (369, "spin"),
    "grow": (117, "grow"),
}


def draw_sample(name: str, **options: Any) -> DrawnClip:
    """The drawing behind ``clips/<name>.mp4``: its frames before compression, mask and event."""
    seed, action = SAMPLES[name]
    shape = {"num_frames": NUM_FRAMES, "event": EVENT, "size": SIZE, **options}
    return draw_clip(seed, class_id=CLASSES.index(action), **shape)


def write_video(path: Path, frames: Frames, frame_rate: int = FRAME_RATE) -> None:
    """Encode uint8 (T, H, W, 3) RGB frames as H.264 yuv420p; the same bytes every time."""
    # One thread, because x264 decides differently with another number of them.
    encoding = {"crf": "20", "preset": "slow", "threads": "1"}
    container_options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", options=container_options) as container:
        stream = container.add_stream("libx264", rate=frame_rate, options=encoding)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def find(action: str, seeds: range) -> list[tuple[float, int]]:
    """(least probability over the windows that hold the whole event, seed), best first.

    Only of clips in which the actor stays clear of the rims and nobody hides much of it.
    """
    import torch

    from models3d import load_trained
    from models3d.train import preprocess

    net, class_id = load_trained(), CLASSES.index(action)
    found = []
    for seed in seeds:
        clip = draw_clip(seed, class_id=class_id, num_frames=NUM_FRAMES, event=EVENT)
        if not _in_full_view(clip):
            continue
        starts = range(EVENT[1] - 16, EVENT[0] + 1)
        windows = np.stack([clip.frames[start : start + 16] for start in starts])
        with torch.inference_mode():
            probability = net(preprocess(torch.from_numpy(windows))).softmax(1)[:, class_id]
        found.append((round(float(probability.min()), 3), seed))
    return sorted(found, reverse=True)


def _in_full_view(clip: DrawnClip) -> bool:
    """Is the mask clear of the rims and one whole piece, about as large as a disc of its width?"""
    for mask in clip.mask[slice(*EVENT)]:
        rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
        rim = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
        box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        if rim or mask.sum() < 0.7 * box:
            return False
    return True


def main() -> None:
    """Write every sample beside this file, or look for seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--find", nargs=2, type=int, metavar=("FIRST", "STOP"))
    parsed = parser.parse_args()
    if parsed.find:
        for _, action in SAMPLES.values():
            print(f"{action}: {find(action, range(*parsed.find))[:8]}")
        return
    for name in SAMPLES:
        path = Path(__file__).with_name(f"{name}.mp4")
        write_video(path, draw_sample(name).frames)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
