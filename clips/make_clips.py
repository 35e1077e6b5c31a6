"""Write the sample clips: ``python -m clips.make_clips``. ``draw_sample`` gives their ground truth.

After the bundled network has been trained again, ``python -m clips.make_clips --find 100 400``
lists the seeds in that range on which it is most confident; put the chosen ones into SAMPLES.
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
EVENT = (11, 21)  # [start, end); every 16-frame window of the clip contains some of it
FRAME_RATE = 16  # frames per second

SAMPLES: dict[str, tuple[int, str]] = {  # file stem -> (held-out seed, class)
    "dash_right": (185, "dash right"),
    "spin": (369, "spin"),
    "grow": (117, "grow"),
}


def draw_sample(name: str, **options: Any) -> DrawnClip:
    """Draw the clip ``clips/<name>.mp4``: its frames before compression, and its ground truth.

    Args:
        name: a key of SAMPLES.
        options: of ``draw_clip``, in place of those the file was made with.
    """
    seed, action = SAMPLES[name]
    shape = {"num_frames": NUM_FRAMES, "event": EVENT, "size": SIZE, **options}
    return draw_clip(seed, class_id=CLASSES.index(action), **shape)


def write_video(path: Path, frames: Frames, frame_rate: int = FRAME_RATE) -> None:
    """Encode frames as H.264, yuv420p; the same bytes every time.

    Args:
        path: the file to write.
        frames: uint8 (T, H, W, 3), RGB.
        frame_rate: in frames per second.
    """
    # One thread and no processor-specific code: the bytes that x264 writes depend on both, and with
    # such code on where its buffers lie in memory.
    encoding = {"crf": "20", "preset": "slow", "threads": "1", "x264-params": "asm=0"}
    container_options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", options=container_options) as container:
        stream = container.add_stream("libx264", rate=frame_rate, options=encoding)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def find(action: str, seeds: range) -> list[tuple[float, int]]:
    """The seeds whose event the network classifies with the highest confidence.

    Only clips in which the actor touches no edge and is hardly covered by distractors.

    Args:
        action: name of the event.
        seeds: to search.

    Returns:
        (lowest probability over the windows that contain the whole event, seed), best first.
    """
    import torch

    from models3d import load_trained
    from models3d.residual3d import preprocess

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
    """Whether the mask touches no edge and fills its bounding box about as a disc does."""
    for mask in clip.mask[slice(*EVENT)]:
        rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
        touches_edge = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
        box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        if touches_edge or mask.sum() < 0.7 * box:
            return False
    return True


def main() -> None:
    """Write all sample clips into this folder, or search for seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--find", nargs=2, type=int, metavar=("FIRST", "STOP"), help="search for seeds"
    )
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
