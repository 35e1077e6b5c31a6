"""The project's own small networks, and the drawn clips that they are trained and tested on.

Imports nothing of ``video_cam``.
"""

from models3d.drawn_clips import CLASSES, EVENTS, NOTHING, DrawnClip, draw_batch, draw_clip
from models3d.motion3d import WEIGHTS_FILE, Motion3D, load_trained

__all__ = [
    "CLASSES",
    "EVENTS",
    "NOTHING",
    "WEIGHTS_FILE",
    "DrawnClip",
    "Motion3D",
    "draw_batch",
    "draw_clip",
    "load_trained",
]
