"""Draws an explanation on its clip: videos, images and pages for people. Runs no network.

May import: video_cam.metrics, video_cam.explanation and what is below them.
"""
