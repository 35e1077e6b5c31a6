"""Files to frames and back: the only package that imports PyAV (``av``).

Time 0 is the container's start as the ffmpeg command takes it: the earliest start of sound or
picture. A still image is shown for 1/25 s; the images of a folder follow at 25 per second.
May import: video_cam.config, video_cam.utils.
"""
