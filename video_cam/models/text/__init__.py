"""Networks that compare clips with texts: CLIP, SigLIP and X-CLIP, with texts as their classes.

Imports the rest of ``models`` but the registry, which calls it.
"""
