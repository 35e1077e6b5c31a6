"""Altered versions of clips on tensors, and one loop that scores many of them.

May import: video_cam.layers and what is below it.
"""
