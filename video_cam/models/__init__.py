"""A network by name, file or object, with its preprocessing, weights, class names and layers.

``registry.load_model`` is the entrance. One file per source of networks: ``torchvision``,
``timm``, ``huggingface``, ``bundled``, ``saved_networks`` and ``user_code``.
May import: video_cam.attribution, video_cam.layers, video_cam.video and what is below them.
"""
