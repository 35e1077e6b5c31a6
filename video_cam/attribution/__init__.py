"""From tensors to class activation maps and input gradients, for any ``nn.Module``.

Works on tensors only: no clips, no files. May import: video_cam.perturbation and what
is below it.
"""
