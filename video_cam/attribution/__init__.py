"""Tensors to class activation maps and input gradients, for any ``nn.Module``.

Knows no clips and no files. May import: video_cam.layers and what is below it.
"""
