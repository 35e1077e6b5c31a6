"""Questions to a network about one clip, answered by altering the clip: see each module.

May import: video_cam.explanation, video_cam.models and what is below them.
"""
