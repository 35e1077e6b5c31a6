"""Files and texts from unknown sources: damaged clips, decompression bombs, hostile names."""

from __future__ import annotations

import random
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import cv2

from benchmarks.fuzz.byte_damage import damaged
from tests.support.media import moving_square, write_clip

NUM_MUTANTS = 480

# Names of classes, layers, clips and files as a stranger may choose them.
TEXTS = {
    "markup": "<img src=x onerror=alert(1)> & \"'</script><script>alert(2)</script>",
    "attribute": '" onmouseover="alert(3)" x=\'',
    "script address": "javascript:alert(4)//",
    "other host": "//example.org/x",
    "other folder": "../../x",
    "template": "{{ 7*7 }} {% raw %} ${7*7} %s %(x)s {0}",
    "formula": "=HYPERLINK(A1)",
    "JSON": '"}, {"label": "x\\',
    "terminal escape": "\x1b[31mred\x1b]0;title\x07",
    "one-letter escape": "\x9b31mred",
    "newline": "a\nerror: forged",
    "carriage return": "a\rerror: forged",
    "line separators": "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg",
    "direction": "\u202egpj.exe \u2067x \u200fy",
    "zero": "a\0b",
    "surrogate": "a\ud800b\udce9",
    "no character": "\ufffe\uffff\ue000\U0010ffff\U000e0041",
    "mathematics": "$\\frac{1$ \\$",
    "hidden in a legend": "_name",
    "empty": "",
    "space": " ",
    "long": "W" * 10_000,
    "marks": "a" + "\u0301" * 3000,
    "wide": "\u2e3b" * 300,
    "other scripts": "日本 نمی\u200cشود ไทย हिन्दी 👩\u200d🔬",
}


def seeds(folder: Path) -> list[Path]:
    """A small undamaged clip of each common container and codec."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = moving_square(12)
    kinds = {
        "h264.mp4": {"audio": "aac"},
        "fragmented.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
        "mjpeg.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
        "h264.mkv": {},
        "vp8.webm": {"codec": "libvpx", "options": {"deadline": "realtime"}},
        "mpeg4.avi": {"codec": "mpeg4", "audio": "mp3"},
        "mpeg2.ts": {"codec": "mpeg2video"},
        "mpeg1.mpg": {"codec": "mpeg1video"},
        "flash.flv": {"codec": "flv"},
        "wmv.wmv": {"codec": "wmv2"},
        "moving.gif": {"codec": "gif", "pix_fmt": "rgb8"},
    }
    made = [
        write_clip(folder / name, frames, time_base=Fraction(1, 25), **options)
        for name, options in kinds.items()
    ]
    for suffix in ("png", "jpg", "webp", "bmp", "tiff"):
        path = folder / f"still.{suffix}"
        cv2.imwrite(str(path), frames[0])
        made.append(path)
    return made


def mutants(folder: Path, count: int = NUM_MUTANTS, seed: int = 0) -> list[Path]:
    """``count`` damaged copies of the clips of ``seeds``; the same ones for the same seed."""
    rng, originals = random.Random(seed), seeds(folder / "seeds")
    made = []
    for number in range(count):
        original = originals[number % len(originals)]
        data = damaged(original.read_bytes(), rng)
        path = folder / f"{number:04d}-{original.name}"
        path.write_bytes(data)
        made.append(path)
    return made


def png_bomb(path: Path, width: int = 100_000, height: int = 100_000) -> Path:
    """A PNG of 10 gigapixels in a few kilobytes: all black."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    return path


def gif(path: Path, num_frames: int, width: int = 1, height: int = 1) -> Path:
    """A GIF of black pictures, 22 bytes each."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    delay = b"\x21\xf9\x04\x00\x04\x00\x00\x00"
    picture = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    path.write_bytes(screen + (delay + picture) * num_frames + b"\x3b")
    return path


def raw_bomb(path: Path) -> Path:
    """A raw video whose header announces frames of 10 gigapixels."""
    path.write_bytes(b"YUV4MPEG2 W100000 H100000 F25:1 Ip A1:1 C420\nFRAME\n" + bytes(1000))
    return path
