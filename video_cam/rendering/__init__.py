"""The second pass: an Explanation and its clip to files for people. Runs no network.

May import: video_cam.metrics, video_cam.explanation and what is below them.
"""
