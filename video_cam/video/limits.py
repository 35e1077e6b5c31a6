"""How much a file may ask for. A few bytes can promise a picture that fills any memory."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from av.format import formats_available
from PIL import Image

from video_cam.config import LimitsConfig
from video_cam.errors import ClipError

# They read other files or addresses, which the file names, or devices.
LEADS_ELSEWHERE = {
    *("concat", "dash", "hls", "imf", "sdp", "rtp", "rtsp", "sap", "webm_dash_manifest"),
    *("image2", "vobsub", "avisynth", "vapoursynth", "lavfi", "alsa", "fbdev", "kmsgrab", "oss"),
    *("video4linux2", "v4l2", "x11grab", "xcbgrab", "pulse", "jack", "dshow", "gdigrab"),
    *("avfoundation", "decklink", "iec61883", "openal", "sndio", "libcdio", "vfwcap", "android"),
}
_PLAYLIST = re.compile(rb"\A(\xef\xbb\xbf)?\s*(#EXTM3U|ffconcat |v=0\s|<\?xml[^>]*>\s*<MPD|<MPD)")
# OpenCV reads them and Pillow may not; OpenCV's own limit of 2**30 pixels then holds alone.
_SIZE_MAY_BE_UNKNOWN = {".hdr", ".exr", ".avif", ".jp2"}


_current = LimitsConfig()


def current() -> LimitsConfig:
    """The limits that hold."""
    return _current


@contextmanager
def limited(limits: LimitsConfig) -> Iterator[None]:
    """Other limits for a while, in the whole process."""
    global _current  # threads that decode must see them, too
    before, _current = _current, limits
    try:
        yield
    finally:
        _current = before


def check_size(shown: str, width: int, height: int) -> None:
    """Raise ClipError for a picture beyond max_pixels; ``shown`` is its path."""
    most = _current.max_pixels
    if width * height > most:
        raise ClipError(
            f"{shown}: pictures of {width}x{height} have more than {most} pixels; if the file is "
            "to be trusted, raise --max-pixels"
        )


def check_count(shown: str, count: int) -> None:
    """Raise ClipError for a clip beyond max_frames."""
    if count > _current.max_frames:
        raise ClipError(
            f"{shown}: more than {_current.max_frames} frames; if the file is to be trusted, "
            "raise --max-frames, or cut it"
        )


def check_samples(count: int) -> None:
    """Raise ClipError where one damaged stamp makes a short clip last for months."""
    if count > _current.max_frames:
        raise ClipError(
            f"by its stamps the clip lasts for {count} frames of the network, more than "
            f"{_current.max_frames}: cut it with --start and --end, take --sampling uniform, or "
            "raise --max-frames"
        )


def check_image(path: Path, shown: str) -> None:
    """Raise ClipError for a still image beyond max_pixels, told from its header."""
    size = _header_size(path)
    if size is not None:
        check_size(shown, *size)
    elif path.suffix.lower() not in _SIZE_MAY_BE_UNKNOWN:
        raise ClipError(f"{shown}: not an image that can be read; is it damaged?")


def _header_size(path: Path) -> tuple[int, int] | None:
    kept = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None  # the limit here is the one that can be raised
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                return image.size
    except Exception:  # a hostile header can make Pillow raise anything
        return None
    finally:
        Image.MAX_IMAGE_PIXELS = kept


@lru_cache(maxsize=1)
def readable_formats() -> str:
    """FFmpeg's whitelist of formats: those that lie in one file."""
    names = (f for f in formats_available if not LEADS_ELSEWHERE & set(f.split(",")))
    return ",".join(sorted(names))


def is_playlist(path: Path) -> bool:
    """Whether a file that FFmpeg refused says where the video is, rather than being it."""
    try:
        with path.open("rb") as file:
            return _PLAYLIST.match(file.read(400)) is not None
    except OSError:
        return False
