"""``python -m video_cam.benchmark``: the benchmark with known ground truth (benchmarks/truth)."""

import sys

if __name__ == "__main__":
    try:
        from benchmarks.truth.command import main
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("benchmarks"):
            raise
        sys.exit("error: the benchmark is not installed: run it in a copy of the repository")
    sys.exit(main())
