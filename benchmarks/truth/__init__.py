"""The yardstick: maps on drawn clips, whose truth is known. ``python -m video_cam.benchmark``."""
