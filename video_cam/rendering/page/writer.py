"""index.html and page/: step through a clip and its maps, from disk, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from video_cam.explanation.explanation import Explanation
from video_cam.rendering.overlay import COLORMAPS, Palette
from video_cam.rendering.page.assets import ENVIRONMENT, FOLDER, read_asset
from video_cam.rendering.page.map_data import class_scores, describe_map, shorten, write_maps
from video_cam.rendering.page.script_data import (
    base64,
    pack_integers,
    pack_levels,
    read_bytes_script,
    script_json,
    write_bytes_script,
)
from video_cam.video.browser_copy import BrowserCopy

if TYPE_CHECKING:
    from video_cam.config import RenderConfig

# In the order the browser runs them: each may use what stands before it.
SCRIPTS = (
    *("load", "timeline", "maps", "paint", "stage", "player", "scrub", "strip"),
    *("controls", "readout", "state", "link", "save", "buttons", "keys", "app"),
)
SCORES_SHOWN = 5
# A page from disk may show a video but not read its pixels, and a picture of the view needs them.
# A clip up to this size is also there as a script, loaded when a picture is saved from disk.
LARGEST_SCRIPT_CLIP = 32 * 2**20
# Told apart by people of every colour vision, and in grey.
SAFE_COLORMAPS = ("inferno", "magma", "plasma", "viridis", "cividis")


def thumbnail_name(frame_index: int) -> str:
    """A keyframe's small picture, from the clip's folder."""
    return f"{FOLDER}/keyframes/{frame_index:06d}.jpg"


def write_page(
    folder: Path,
    explanation: Explanation,
    summary: dict[str, Any],
    look: RenderConfig,
    copy: BrowserCopy,
) -> None:
    """Write the page of one clip beside its other results; names and labels are escaped."""
    page = folder / FOLDER
    page.mkdir(exist_ok=True)
    data = _page_data(page, explanation, summary, look, copy)
    (page / "data.js").write_text(f"const DATA = {script_json(data)};\n", encoding="ascii")
    for name in SCRIPTS:
        (page / f"{name}.js").write_text(read_asset(f"{name}.js"), encoding="utf-8")
    text = ENVIRONMENT.get_template("page.html").render(
        summary=summary,
        title=data["title"],
        folder=FOLDER,
        scripts=("data", *SCRIPTS),
        style=read_asset("page.css"),
        clip=data["clip"],
    )
    # A file name may hold any bytes.
    (folder / "index.html").write_bytes(text.encode("utf-8", "replace"))


def inline_page(folder: Path) -> str:
    """The page that ``write_page`` wrote as one text, which carries the files it loads."""
    page, text = folder / FOLDER, (folder / "index.html").read_text(encoding="utf-8")
    carried = {f"keyframes/{p.name}": base64(p.read_bytes()) for p in page.glob("keyframes/*.jpg")}
    for script in (*page.glob("maps/*.js"), page / "clip.js"):
        name, data = read_bytes_script(script)
        carried[name] = data
    scripts = [
        f'<script type="text/plain" id="bytes:{name}">{data}</script>'
        for name, data in carried.items()
    ]
    for name in ("data", *SCRIPTS):
        code = (page / f"{name}.js").read_text(encoding="utf-8")
        text = text.replace(f'<script src="{FOLDER}/{name}.js"></script>', "")
        scripts.append(f"<script>\n{code}</script>")
    return text.replace("</body>", "\n".join(scripts) + "\n</body>")


def _page_data(
    page: Path,
    explanation: Explanation,
    summary: dict[str, Any],
    look: RenderConfig,
    copy: BrowserCopy,
) -> dict[str, Any]:
    """All that the scripts know before a chunk of maps is loaded, ready for JSON."""
    curves = [write_maps(page, explanation, i) for i in range(len(explanation.maps))]
    return {
        "title": Path(explanation.clip.path).name,
        "folder": FOLDER,
        "clip": _clip(page, explanation, copy),
        "timeline": _timeline(explanation),
        "model": {"name": explanation.model.name, "trained": explanation.model.trained},
        "maps": [
            describe_map(explanation, series, curve)
            for series, curve in zip(explanation.maps, curves, strict=True)
        ],
        "classes": _classes(explanation),
        "keyframes": [k["frame_index"] for k in summary["keyframes"]],
        "windows": explanation.frame_indices[:, [0, -1]].tolist(),
        "seen_box": explanation.geometry.seen_box,
        "colormaps": {
            name: {"safe": name in SAFE_COLORMAPS, "colours": _colours(name)} for name in COLORMAPS
        },
        "look": {
            "colormap": look.colormap,
            "opacity": look.alpha,
            "normalize": look.normalize,
            "view": look.layout,
        },
    }


def _clip(page: Path, explanation: Explanation, copy: BrowserCopy) -> dict[str, Any]:
    info = explanation.clip
    small = copy.path.stat().st_size <= LARGEST_SCRIPT_CLIP
    if small:
        write_bytes_script(page, "clip", copy.path.read_bytes())
    return {
        "file": f"{FOLDER}/{copy.path.name}",
        "type": f"video/{copy.path.suffix[1:]}",
        "in_script": small,
        "start_seconds": float(copy.start_seconds),
        "width": info.width,
        "height": info.height,
        "coded_width": copy.width,
        "coded_height": copy.height,
        "pixel_aspect": float(info.sample_aspect_ratio),
        "has_audio": info.has_audio,
    }


def _timeline(explanation: Explanation) -> dict[str, Any]:
    timeline, (first, stop) = explanation.timeline, explanation.span
    base = timeline.time_base
    return {
        "first": first,
        "first_pts": int(timeline.pts[first]),
        "steps": pack_integers(np.diff(timeline.pts[first:stop])),
        "last_duration": timeline.duration_ticks(stop - 1),
        "time_base": [base.numerator, base.denominator],
    }


def _classes(explanation: Explanation) -> list[dict[str, Any]]:
    """The classes with maps and the best others: their scores over all and over time."""
    targets = [series.class_id for series in explanation.maps]
    best = [prediction.class_id for prediction in explanation.predictions(SCORES_SHOWN)]
    ids = list(dict.fromkeys([*targets, *best]))
    return [
        {
            "class_id": class_id,
            "label": explanation.label(class_id),
            "score": explanation.score(class_id),
            "is_share": explanation.is_share(class_id),
            "curve": pack_levels(shorten(curve, np.mean).clip(min=0)),
        }
        for class_id, curve in zip(ids, class_scores(explanation, ids), strict=True)
    ]


def _colours(name: str) -> str:
    """256 RGB colours."""
    levels = np.linspace(0, 1, 256, dtype=np.float32)[None]
    return base64(Palette(name, 1).colour(levels).tobytes())
