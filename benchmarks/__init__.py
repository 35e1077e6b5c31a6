"""Figures of this project beside its peers', each as a ratio within one run."""
