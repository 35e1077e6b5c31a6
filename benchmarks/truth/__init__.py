"""Benchmark with known ground truth: maps of drawn clips, scored against the clips' events.

The command is ``python -m video_cam.benchmark``. ``compare_alignments`` and ``window_overlap`` are
scripts of their own.
"""
