"""Video files to frames and back: the only package that imports PyAV (``av``).

Time 0 is the container's start, as the ffmpeg command takes it: the earliest start of sound or
picture. A still image lasts 1/25 s; images of a folder, pages and arrays are shown at 25 per
second.
May import: video_cam.config, video_cam.utils, video_cam.errors.
"""
