"""PNG and JPEG files of RGB images.

A clip has hundreds of keyframes, and nearly all the time that OpenCV needs to write one is spent in
zlib. ISA-L's deflate takes a quarter of it; without ISA-L zlib itself is used.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from video_cam.video.color import RGBImage

try:
    from isal import isal_zlib as deflate
except ImportError:
    import zlib as deflate  # type: ignore[no-redef]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BITS, _RGB = 8, 2  # bits per channel; colour type
_UP = 2  # filter type: each line minus the line above
_FASTEST = 1


def save_image(path: Path, image: RGBImage) -> None:
    """Write an image in the format of the path's extension, .png or .jpg.

    Raises:
        OSError: where it cannot be written.
    """
    path.write_bytes(encode_png(image) if path.suffix == ".png" else _encode(path.suffix, image))


def encode_png(image: RGBImage) -> bytes:
    """The bytes of a PNG file (W3C, "Portable Network Graphics", second edition, 2003)."""
    height, width, channels = image.shape
    lines = image.reshape(height, width * channels)
    filtered = np.empty((height, 1 + width * channels), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = lines[0]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])  # modulo 256, as the format asks
    header = struct.pack(">IIBBBBB", width, height, _BITS, _RGB, 0, 0, 0)
    pixels = deflate.compress(filtered, _FASTEST)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def _encode(suffix: str, image: RGBImage) -> bytes:
    ok, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not ok:
        raise OSError(f"{suffix} cannot hold an image of shape {image.shape}")
    return data.tobytes()
