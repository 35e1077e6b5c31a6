"""The inspection page of a clip and the gallery of many clips: HTML, scripts, styles, data.

Import from the files: the process that writes the gallery does not import PyTorch.
"""
