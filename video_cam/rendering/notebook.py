"""An explanation in a notebook: a summary with pictures, and the whole page in a cell."""

from __future__ import annotations

import html
import webbrowser
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

from video_cam.config import RenderConfig
from video_cam.errors import UsageError, VideoCamError
from video_cam.explanation.explanation import Explanation
from video_cam.rendering.figure import evenly, figure
from video_cam.rendering.heat import spatial_matrices
from video_cam.rendering.overlay import crop, fit, save_picture
from video_cam.rendering.page.assets import ENVIRONMENT, FOLDER
from video_cam.rendering.page.writer import (
    LARGEST_SCRIPT_CLIP,
    inline_page,
    thumbnail_name,
    write_page,
)
from video_cam.rendering.summary import summarise
from video_cam.video.browser_copy import BrowserCopy
from video_cam.video.clip import Clip
from video_cam.video.reader import FrameReader

HEIGHT = 1100  # CSS pixels of the page in a cell
THUMBNAIL = 160
NOTEBOOK_KEYFRAMES = 40


def summary_html(explanation: Explanation) -> str:
    """What a notebook shows: the best classes, and a strip of keyframes if the clip is there."""
    try:
        strip = figure(explanation.clip.path, explanation, frames=5, source=False)
        picture = b64encode(strip._repr_jpeg_()).decode("ascii")
    except (VideoCamError, OSError):
        picture = ""
    return ENVIRONMENT.get_template("notebook.html").render(
        explanation=explanation,
        name=Path(explanation.clip.path).name,
        predictions=explanation.predictions(),
        picture=picture,
    )


def page_html(clip: str, explanation: Explanation, look: RenderConfig) -> str:
    """The inspection page as one piece of HTML that carries clip, maps and scripts in itself."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        keyframes = evenly(explanation.keyframes(), min(look.max_keyframes, NOTEBOOK_KEYFRAMES))
        (folder / thumbnail_name(0)).parent.mkdir(parents=True)
        copy = _write_media(clip, folder, explanation, keyframes)
        if copy.path.stat().st_size > LARGEST_SCRIPT_CLIP:
            raise UsageError(
                f"{clip!r} is too large to be shown in a notebook: video_cam.render writes its page"
            )
        rows = [
            {"frame_index": i, "pts_seconds": float(explanation.timeline.pts_seconds(i))}
            for i in keyframes
        ]
        write_page(folder, explanation, summarise(explanation, rows, []), look, copy)
        return inline_page(folder)


def show(clip: str, explanation: Explanation, look: RenderConfig) -> None:
    """The page in the notebook's cell, or, outside of notebooks, in the browser."""
    page = page_html(clip, explanation, look)
    shell = _notebook()
    if shell is None:
        with NamedTemporaryFile("w", suffix=".html", delete=False, encoding="utf-8") as file:
            file.write(page)
        webbrowser.open(Path(file.name).as_uri())
        return
    from IPython.display import HTML, display

    page = html.escape(page)
    frame = f'<iframe srcdoc="{page}" width="100%" height="{HEIGHT}"></iframe>'
    # IPython warns of a bare iframe, as if it had an address.
    display(HTML(f"<div>{frame}</div>"))


def _notebook() -> object | None:
    """The notebook's kernel, if there is one that shows HTML."""
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return None
    shell = get_ipython()
    return shell if shell is not None and hasattr(shell, "kernel") else None


def _write_media(
    clip: str, folder: Path, explanation: Explanation, keyframes: list[int]
) -> BrowserCopy:
    """The clip and the keyframes' small pictures, from one reading."""
    info, timeline, span = explanation.clip, explanation.timeline, explanation.span
    wanted, box = (
        set(keyframes),
        spatial_matrices(explanation.geometry, explanation.maps[0].centres)[2],
    )
    copy = BrowserCopy(Clip(replace(info, path=clip), timeline), folder / FOLDER, span)
    with copy, FrameReader(clip, *span) as reader:
        for frame in reader:
            if copy.is_remuxed and frame.index not in wanted:
                continue
            rgb = frame.rgb()
            copy.write(frame, rgb)
            if frame.index in wanted:
                small = fit(crop(rgb, box), THUMBNAIL)
                save_picture(folder / thumbnail_name(frame.index), small)
    return copy
