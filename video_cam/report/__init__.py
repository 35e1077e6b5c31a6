"""What a person looks at: contact sheet, timeline, inspection page, figure, gallery.

Import from the files: the gallery is written by a process that has no use for PyTorch.
"""
