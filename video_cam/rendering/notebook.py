"""An explanation in a notebook: a summary with images, and the whole page in a cell."""

from __future__ import annotations

import html
import os
import webbrowser
from base64 import b64encode
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

from video_cam.config import RenderConfig
from video_cam.errors import UsageError, VideoCamError
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import ClassTarget
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.figure import figure
from video_cam.rendering.frame_choice import frames_to_look_at
from video_cam.rendering.frame_importance import sufficient_frames
from video_cam.rendering.heat import spatial_matrices
from video_cam.rendering.keyframes import save_thumbnail, thumbnail_name
from video_cam.rendering.page.assets import ENVIRONMENT, PAGE_FOLDER
from video_cam.rendering.page.single_file import inline_page
from video_cam.rendering.page.writer import MAX_SCRIPT_CLIP_BYTES, write_page
from video_cam.rendering.source_clip import as_explained, check_clip
from video_cam.rendering.summary import summarise
from video_cam.utils.names import check_names
from video_cam.video.browser_copy import BrowserCopy
from video_cam.video.clip import Clip

CELL_HEIGHT = 1100  # CSS pixels of the page in a cell
MAX_KEYFRAMES = 40
STRIP_FRAMES = 5


def show(
    explanation: Explanation, clip_path: str | os.PathLike[str] | None = None, **options: Any
) -> None:
    """Show the inspection page in a notebook's cell; outside of notebooks, in the browser.

    Args:
        explanation: what to show.
        clip_path: where the clip is now; None for where it was explained.
        options: the fields of RenderConfig.

    Raises:
        UsageError: for a wrong option, another clip than the one that was explained, or one that is
            too large for a cell.
        ClipError: where the clip cannot be read.
    """
    check_names("option", list(options), RenderConfig.__dataclass_fields__)
    explained = explanation.clip
    clip = Clip.open(clip_path or explained.path, video_stream=explained.video_stream)
    page = page_html(clip, explanation, RenderConfig(**options))
    if not _is_notebook():
        with NamedTemporaryFile("w", suffix=".html", delete=False, encoding="utf-8") as file:
            file.write(page)
        webbrowser.open(Path(file.name).as_uri())
        return
    from IPython.display import HTML, display

    page = html.escape(page)
    frame = f'<iframe srcdoc="{page}" width="100%" height="{CELL_HEIGHT}"></iframe>'
    # IPython warns about a bare iframe, as if it had an address.
    display(HTML(f"<div>{frame}</div>"))


def summary_html(explanation: Explanation) -> str:
    """HTML of the best classes, with a strip of keyframes if the clip can be read."""
    try:
        strip = figure(explanation.clip.path, explanation, frames=STRIP_FRAMES, source=False)
        picture = b64encode(strip._repr_jpeg_()).decode("ascii")
    except (VideoCamError, OSError):
        picture = ""
    return ENVIRONMENT.get_template("notebook.html").render(
        explanation=explanation,
        name=Path(explanation.clip.path).name,
        predictions=[
            (p.label, explanation.score_text(ClassTarget(p.class_id), p.score))
            for p in explanation.predictions()
        ],
        picture=picture,
    )


def page_html(clip: Clip, explanation: Explanation, config: RenderConfig) -> str:
    """The inspection page as one HTML text that contains the clip, the maps and the scripts.

    Raises:
        UsageError: where the clip is too large, or is not the one that was explained.
    """
    check_clip(clip, explanation)
    clip = as_explained(clip, explanation)
    maps = BlendedMaps(explanation)
    keyframes = frames_to_look_at(maps, min(config.max_keyframes or MAX_KEYFRAMES, MAX_KEYFRAMES))
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / thumbnail_name(0)).parent.mkdir(parents=True)
        copy = _write_media(clip, folder, explanation, keyframes)
        if copy.path.stat().st_size > MAX_SCRIPT_CLIP_BYTES:
            raise UsageError(
                f"{clip.path!r} is too large to be shown in a notebook: video_cam.render writes "
                "its page"
            )
        rows = [
            {"frame_index": i, "pts_seconds": float(explanation.timeline.pts_seconds(i))}
            for i in keyframes
        ]
        summary = summarise(explanation, rows, [])
        write_page(folder, maps, summary, config, copy)
        return inline_page(folder)


def _is_notebook() -> bool:
    """Whether this runs in the kernel of a notebook, which shows HTML."""
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _write_media(
    clip: Clip, folder: Path, explanation: Explanation, keyframes: list[int]
) -> BrowserCopy:
    """Write the clip for the page and the keyframes' thumbnails, in one reading."""
    wanted, span = {*keyframes, *sufficient_frames(explanation)}, explanation.span
    _, _, box = spatial_matrices(explanation.geometry, explanation.maps[0].centres)
    copy = BrowserCopy(clip, folder / PAGE_FOLDER, span)
    with copy, clip.frames(*span) as reader:
        for frame in reader:
            if copy.is_remuxed and frame.index not in wanted:
                continue
            rgb = frame.rgb()
            copy.write(frame, rgb)
            if frame.index in wanted:
                save_thumbnail(folder, frame.index, rgb, box)
    return copy
