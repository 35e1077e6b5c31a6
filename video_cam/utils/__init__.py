"""Helpers that know nothing of video or networks: files, threads, progress, memory, names, text.

May import: video_cam.errors only.
"""
