"""Reads the files that are named on stdin, one a line, and says of each what came of it.

A process of its own with little memory and time: the parent sees a crash or a hang.
"""

from __future__ import annotations

import resource
import signal
import sys
import traceback
from itertools import islice
from pathlib import Path

from video_cam.errors import VideoCamError
from video_cam.explanation.sampling import sample_windows, span_of
from video_cam.video.reader import FrameReader
from video_cam.video.scan import probe

MEMORY = 4 << 30
SECONDS_EACH = 20


def read(path: Path) -> str:
    """What the loader makes of a file, as the command uses it."""
    _, timeline = probe(path)
    span = span_of(timeline, None, None)
    windows = sample_windows(timeline, span, num_frames=16, frame_rate=16, window_stride=8)
    with FrameReader(path) as reader:
        frames = [frame.rgb().shape for frame in islice(reader, 200)]
    return f"{len(frames)} frames, {len(windows)} windows"


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin:
        signal.alarm(SECONDS_EACH)  # nobody handles it: a hang ends the process
        try:
            verdict = f"read {read(Path(line[:-1]))}"
        except VideoCamError as error:
            verdict = f"refused {error}"
        except Exception:
            verdict = f"TRACEBACK {traceback.format_exc()}"
        print(verdict.encode("ascii", "backslashreplace").decode().replace("\n", "\\n"), flush=True)


if __name__ == "__main__":
    main()
