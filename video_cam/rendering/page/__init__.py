"""The inspection page of a clip and the gallery of many: HTML, scripts, styles and their data.

The gallery is written by a process that does not import PyTorch: import from the files.
"""
