"""The command: a clip in, an annotated video out.

    python run_video_cam.py --clip v.mp4 --use-cuda

video_cam/cli/ has its options and what it does with them.
"""

import signal
import sys

from video_cam.cli.main import main
from video_cam.utils.allocator import keep_freed_memory

if __name__ == "__main__":
    # A cluster's word that time is up: what is half-done goes, and the list is right.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    keep_freed_memory()
    sys.exit(main())
