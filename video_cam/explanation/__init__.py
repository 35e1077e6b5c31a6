"""The first pass: a clip to an Explanation. Sampling, windows, aggregation and blending over time.

May import: video_cam.models and what is below it. ``explanation.py`` holds data only.
"""
