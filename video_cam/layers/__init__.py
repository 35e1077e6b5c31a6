"""Inside any ``nn.Module``: hooks, shapes of every layer, layouts, positions of a layer's cells.

Knows tensors and modules; knows no methods, no clips and no files but its own cache.
May import: video_cam.config, video_cam.utils.
"""
