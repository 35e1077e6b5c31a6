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
from pathlib import Path

from benchmarks.fuzz.clip_reading import read_clip
from video_cam.errors import VideoCamError

MEMORY = 4 << 30  # bytes
SECONDS_PER_FILE = 20


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin:
        signal.alarm(SECONDS_PER_FILE)  # there is no handler: a hang ends the process
        try:
            answer = f"read {read_clip(Path(line[:-1]))}"
        except VideoCamError as error:
            answer = f"refused {error}"
        except Exception:
            answer = f"TRACEBACK {traceback.format_exc()}"
        print(answer.encode("ascii", "backslashreplace").decode().replace("\n", "\\n"), flush=True)


if __name__ == "__main__":
    main()
