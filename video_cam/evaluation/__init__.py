"""Answers from many clips: accuracy, confusions, maps against ground truth, runs against runs.

May import: video_cam.rendering, video_cam.truth, video_cam.metrics and what is below them.
``answers`` imports no PyTorch: it is used by the process that writes the gallery.
"""
