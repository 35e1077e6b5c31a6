"""The command: a clip in, an annotated video out.

    python run_video_cam.py --clip v.mp4 --use-cuda

video_cam/arguments.py has its options, video_cam/command.py what it does with them.
"""

import signal
import sys

from video_cam.allocator import keep_freed_memory
from video_cam.command import main

if __name__ == "__main__":
    # A cluster's word that time is up: what is half-done goes, and the list is right.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    keep_freed_memory()
    sys.exit(main())
