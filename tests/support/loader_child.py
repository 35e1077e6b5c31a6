"""Reads the files named on stdin, one per line, and prints one line on each of them.

    read 12 frames, 1 windows        the file can be used
    refused <message>                it was refused with an error message for the user
    TRACEBACK <traceback>            any other exception: a fault

It runs in a process of its own with little memory and time, so that the test sees a crash or a
hang.
"""

from __future__ import annotations

import resource
import signal
import sys
import traceback
from fractions import Fraction
from itertools import islice
from pathlib import Path

from video_cam.errors import VideoCamError
from video_cam.explanation.sampling import sample_windows, span_of
from video_cam.video.clip import Clip

MEMORY = 4 << 30  # bytes
SECONDS_PER_FILE = 20


def read(path: Path) -> str:
    """Read a file as the command does: header, windows, frames."""
    clip = Clip.open(path)
    windows = sample_windows(
        clip.timeline,
        span_of(clip.timeline, None, None),
        num_frames=16,
        frame_rate=Fraction(16),
        window_stride=8,
        max_samples=clip.limits.max_frames,
    )
    with clip.frames() as reader:
        frames = [frame.rgb().shape for frame in islice(reader, 200)]
    return f"{len(frames)} frames, {len(windows)} windows"


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin:
        signal.alarm(SECONDS_PER_FILE)  # there is no handler: a hang ends the process
        try:
            answer = f"read {read(Path(line[:-1]))}"
        except VideoCamError as error:
            answer = f"refused {error}"
        except Exception:
            answer = f"TRACEBACK {traceback.format_exc()}"
        print(answer.encode("ascii", "backslashreplace").decode().replace("\n", "\\n"), flush=True)


if __name__ == "__main__":
    main()
