"""The container formats that may be opened: those whose data lies in the file itself."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from av.format import formats_available

# FFmpeg's formats that read other files, network addresses or devices.
NOT_SELF_CONTAINED = {
    *("concat", "dash", "hls", "imf", "sdp", "rtp", "rtsp", "sap", "webm_dash_manifest"),
    *("image2", "vobsub", "avisynth", "vapoursynth", "lavfi", "alsa", "fbdev", "kmsgrab", "oss"),
    *("video4linux2", "v4l2", "x11grab", "xcbgrab", "pulse", "jack", "dshow", "gdigrab"),
    *("avfoundation", "decklink", "iec61883", "openal", "sndio", "libcdio", "vfwcap", "android"),
}
# Formats in which FFmpeg draws the characters of a text file as a moving picture.
TEXT_FORMATS = {"tty", "bin", "xbin", "adf", "idf"}
# Containers that stamp each packet with its presentation time and have an index of key frames.
SEEKABLE_FORMATS = {"mov", "mp4", "matroska", "webm"}

_PLAYLIST = re.compile(rb"\A(\xef\xbb\xbf)?\s*(#EXTM3U|ffconcat |v=0\s|<\?xml[^>]*>\s*<MPD|<MPD)")


@lru_cache(maxsize=1)
def readable_formats() -> str:
    """The formats that may be opened, as FFmpeg's ``format_whitelist`` takes them."""
    names = (f for f in formats_available if not NOT_SELF_CONTAINED & set(f.split(",")))
    return ",".join(sorted(names))


def is_playlist(path: Path) -> bool:
    """Whether the file names other files or addresses that hold the video (m3u8, MPD, SDP)."""
    try:
        with path.open("rb") as file:
            return _PLAYLIST.match(file.read(400)) is not None
    except OSError:
        return False
