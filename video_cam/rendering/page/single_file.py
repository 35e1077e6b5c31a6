"""The page of a clip as one HTML file, which contains everything that it loads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from video_cam.errors import UsageError, first_line
from video_cam.rendering.page.assets import PAGE_FOLDER
from video_cam.rendering.page.script_data import base64, read_bytes_script, script_json
from video_cam.rendering.size_limit import MIN_SIDE, next_scale, size_text
from video_cam.utils.files import write_atomically
from video_cam.video.clip import Clip
from video_cam.video.smaller_copy import SmallerCopy, write_smaller_copy

CLIP = "clip"
_SCRIPT = re.compile(rf'(<script nonce="[^"]*") src="{PAGE_FOLDER}/([\w-]+)\.js"></script>\n?')
# What only a folder of results has: links to its other files, and its annotated video.
_OF_FOLDER = re.compile(r"<details data-of-folder>.*?</details>\n?|<noscript>.*?</noscript>", re.S)
_NO_SCRIPT = '<noscript><p class="note">Stepping and colouring need JavaScript.</p></noscript>'
_DATA_START, _DATA_END = "const DATA = ", ";\n"


def inline_page(folder: Path) -> str:
    """The page that ``write_page`` wrote to a folder as one text that loads no other file."""
    return _Parts(folder).page()


def write_single_file(
    folder: Path, path: Path, max_bytes: int, report: Callable[[str], None]
) -> None:
    """Write the page of a folder of results as one file, with a smaller video where it must.

    Args:
        folder: of the clip's results.
        path: of the file, which appears whole or not at all.
        max_bytes: of the file.
        report: takes one line on what was reduced.

    Raises:
        UsageError: where the page cannot be that small.
        ClipError: where the page's copy of the clip cannot be read.
        OSError: where a file cannot be read or written.
    """
    try:
        parts = _Parts(folder)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{str(folder)!r}: its page is damaged ({first_line(error)}): run again, or see what "
            "verify says"
        ) from error
    data = parts.page().encode()
    if len(data) > max_bytes:
        data = _smaller(parts, len(data), max_bytes, report)
    write_atomically(path, data)


def _smaller(parts: _Parts, num_bytes: int, max_bytes: int, report: Callable[[str], None]) -> bytes:
    """The page with a video that is scaled down and compressed more."""
    rest = num_bytes - len(parts.clip_text)
    room = (max_bytes - rest) * 3 // 4  # bytes; base64 makes four letters of three
    if room <= 0:
        raise UsageError(
            f"the page takes {size_text(rest)} without its video, and {size_text(max_bytes)} are "
            "allowed: give a larger --max-size, or explain fewer maps or a shorter part of the clip"
        )
    clip = Clip.open(parts.clip_path)
    longer, scale = max(clip.info.width, clip.info.height), 1.0
    with TemporaryDirectory() as name:
        while True:
            copy = write_smaller_copy(clip, Path(name) / "clip.mp4", scale)
            size = copy.path.stat().st_size
            if size <= room:
                break
            if longer * scale <= MIN_SIDE:
                raise UsageError(
                    f"the page takes {size_text(rest + size * 4 // 3)} even with a video of "
                    f"{copy.drawn_width}x{copy.drawn_height} pixels, and {size_text(max_bytes)} "
                    "are allowed: give a larger --max-size, or explain a shorter part of the clip"
                )
            scale = max(next_scale(scale, size, room), min(1.0, MIN_SIDE / longer))
        parts.replace_clip(copy)
    report(
        f"the video in it has {copy.drawn_width}x{copy.drawn_height} of {clip.info.width}x"
        f"{clip.info.height} pixels and is compressed more, to stay below {size_text(max_bytes)} "
        "(--max-size)"
    )
    return parts.page().encode()


class _Parts:
    """A page as it lies in its folder: the text, its scripts, its data and the bytes it loads."""

    def __init__(self, folder: Path) -> None:
        page = folder / PAGE_FOLDER
        text = (folder / "index.html").read_text(encoding="utf-8")
        self.text = _OF_FOLDER.sub(lambda m: _NO_SCRIPT if "<noscript" in m[0] else "", text)
        self.code = {
            name: (page / f"{name}.js").read_text(encoding="utf-8")
            for _, name in _SCRIPT.findall(self.text)
        }
        data = self.code["data"].removeprefix(_DATA_START).removesuffix(_DATA_END)
        self.data: dict[str, Any] = json.loads(data)
        self.clip_path = page / Path(self.data["clip"]["file"]).name
        self.pictures = {
            f"keyframes/{path.name}": base64(path.read_bytes())
            for path in sorted(page.glob("keyframes/*.jpg"))
        }
        self.maps = dict(map(read_bytes_script, sorted(page.glob("maps/*.js"))))
        self.clip_text = base64(self.clip_path.read_bytes())

    def replace_clip(self, copy: SmallerCopy) -> None:
        """Take another copy of the clip, with the same frames at the same times."""
        self.clip_text = base64(copy.path.read_bytes())
        clip = self.data["clip"]
        clip["file"], clip["type"] = f"{PAGE_FOLDER}/{copy.path.name}", "video/mp4"
        clip["coded_width"] *= float(Fraction(copy.encoded_width, copy.drawn_width))
        clip["coded_height"] *= float(Fraction(copy.encoded_height, copy.drawn_height))

    def page(self) -> str:
        """The whole page as one text."""
        self.data["clip"]["in_script"] = self.data["is_single"] = True
        code = self.code | {"data": f"{_DATA_START}{script_json(self.data)}{_DATA_END}"}
        blocks = [
            f'<script type="text/plain" id="bytes:{name}">{content}</script>'
            for name, content in {**self.pictures, **self.maps, CLIP: self.clip_text}.items()
        ]
        # They follow the page's elements, and the bytes that they read.
        blocks += [f"{tag}>\n{code[name]}</script>" for tag, name in _SCRIPT.findall(self.text)]
        return _SCRIPT.sub("", self.text).replace("</body>", "\n".join(blocks) + "\n</body>")
