"""A network by name, file or object, with its preprocessing, weights, class names and layers.

May import: video_cam.attribution, video_cam.layers, video_cam.video and what is below them.
"""
