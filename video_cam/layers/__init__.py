"""Inside any ``nn.Module``: hooks, output shapes, layouts, and the positions of a layer's cells.

Works on tensors and modules only: no CAM methods, no clips, no files except its own cache.
May import: video_cam.config, video_cam.utils.
"""
