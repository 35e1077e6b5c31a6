"""Benchmarks of this project and of other tools: speed and memory, and maps against ground truth.

May import everything; nothing in ``video_cam`` but its command ``video_cam.benchmark`` imports it.
"""
