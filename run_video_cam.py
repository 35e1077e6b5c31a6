"""The command: a clip in, an annotated video out.

    python run_video_cam.py --clip v.mp4 --use-cuda

video_cam/arguments.py has its options, video_cam/command.py what it does with them.
"""

import sys

from video_cam.command import main

if __name__ == "__main__":
    sys.exit(main())
