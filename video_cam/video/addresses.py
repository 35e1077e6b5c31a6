"""What people give in place of a clip's path: addresses, cameras, standard input."""

from __future__ import annotations

import re

# Path collapses the slashes of an address.
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):/+.*", re.DOTALL)
_LIVE = ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srt", "udp", "tcp", "mms", "mmsh")
_WEB = ("http", "https", "ftp", "ftps")
_CAMERA = re.compile(r"\d{1,2}|/dev/video\d+")


def why_missing(text: str) -> str:
    """Why there is no clip at ``text``, and what to do."""
    return advice_for(text) or "no such file or folder; check the path"


def advice_for(text: str) -> str | None:
    """What ``text``, which is no file, is, and what to do; None where nothing is known of it."""
    if text == "-":
        return "is standard input, and a clip is read more than once: save it to a file, give that"
    if _CAMERA.fullmatch(text):
        return "is a camera, and a clip has an end: record a part to a file, and give that"
    address = _ADDRESS.fullmatch(text)
    if address is None:
        return None
    scheme = address["scheme"].lower()
    if scheme == "file":
        return "is an address: give the path alone, without file://"
    if scheme in _LIVE:
        return (
            "is a live stream, and a clip has an end: record a part to a file, and give that "
            "(ffmpeg -i ADDRESS -t 10 part.mp4)"
        )
    kind = "the web" if scheme in _WEB else "other storage"
    return f"is an address on {kind}: download the clip, and give the file"
