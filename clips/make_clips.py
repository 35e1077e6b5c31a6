"""Write the sample clips: ``python -m clips.make_clips``. Their truth can be drawn again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av

from models3d.drawn_clips import CLASSES, DrawnClip, Frames, draw_clip

SIZE = 256
NUM_FRAMES = 32
EVENT = (11, 21)  # so that every 16-frame window of the clip sees some of it
FRAME_RATE = 16

SAMPLES: dict[str, tuple[int, str]] = {  # file stem -> (held-out seed, class)
    "dash_right": (105, "dash right"),
    "spin": (124, "spin"),
    "grow": (109, "grow"),
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


def main() -> None:
    """Write every sample beside this file."""
    for name in SAMPLES:
        path = Path(__file__).with_name(f"{name}.mp4")
        write_video(path, draw_sample(name).frames)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
