"""The Content-Security-Policy of a page: what it may load and run, whatever text it contains.

A page is opened from disk, where a policy cannot be sent as a header: it is the page's first
element. Scripts and styles count only with the page's nonce, so that markup from a file name or
label would not run even where it was not escaped.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

_NONCE_BYTES = 16
# Files beside the page: some browsers do not count "file:" as the page's own origin.
_OWN_FILES = "'self' file:"


@dataclass(frozen=True)
class PagePolicy:
    """What policy.html and the tags of a page's scripts and styles need.

    Attributes:
        nonce: a new one for each page that is written; scripts and styles in the page carry it.
    """

    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(_NONCE_BYTES))

    def __str__(self) -> str:
        """The value of the header Content-Security-Policy."""
        directives = {
            "default-src": "'none'",
            "script-src": f"'nonce-{self.nonce}'",
            "style-src": f"'nonce-{self.nonce}'",
            "img-src": f"{_OWN_FILES} data: blob:",
            "media-src": f"{_OWN_FILES} blob:",
            # A server that cannot send a part of a file: the page then loads the clip as a whole.
            "connect-src": "'self' blob:",
            "base-uri": "'none'",
            "form-action": "'none'",
        }
        return "; ".join(f"{name} {sources}" for name, sources in directives.items())
