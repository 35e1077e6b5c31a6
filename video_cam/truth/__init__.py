"""Ground truth of clips from files: classes, spans, boxes, masks and key times. No PyTorch.

May import: video_cam.models.labels, video_cam.video and what is below them.
"""
