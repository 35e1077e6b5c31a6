"""index.html and page/: the inspection page of one clip, opened from disk without a server."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from video_cam.config import RenderConfig
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import ClassTarget
from video_cam.rendering.blended_maps import BlendedMap, BlendedMaps
from video_cam.rendering.curves import shorten
from video_cam.rendering.explained_targets import (
    colours_of_targets,
    target_number,
)
from video_cam.rendering.frame_importance import most_important, sufficient_frames
from video_cam.rendering.frame_panels import unit_of_contributions
from video_cam.rendering.motion_bars import motion_bars
from video_cam.rendering.motion_parts import describe_parts, motion_parts
from video_cam.rendering.overlay import COLORMAPS, Palette
from video_cam.rendering.page.assets import ENVIRONMENT, PAGE_FOLDER, read_asset
from video_cam.rendering.page.map_data import MAX_CURVE_POINTS, describe_map, write_maps
from video_cam.rendering.page.policy import PagePolicy
from video_cam.rendering.page.script_data import (
    base64,
    pack_integers,
    pack_levels,
    script_json,
    write_bytes_script,
)
from video_cam.rendering.page.truth_outlines import MAX_MASKS, outlines_of
from video_cam.truth.clip_truth import Mask
from video_cam.utils.notes import WARNING
from video_cam.utils.text import for_page_data
from video_cam.video.browser_copy import BrowserCopy

# In the order in which the browser runs them: each may use those before it.
SCRIPTS = (
    *("load", "timeline", "maps", "heat", "detail", "contours", "zoom", "stage", "player"),
    *("timescale", "timeaxis", "scrub", "truth", "overview", "rove", "strip", "frames", "controls"),
    *("glossary", "jumps", "readout", "boxheat", "box", "pointed", "state", "link"),
    *("picture", "save", "screen", "buttons", "help", "keys"),
    *("marks", "marks_panel", "gif", "mp4", "command", "export", "app"),
)
SCRIPT = "page"  # the file that holds them all
STYLES = ("page.css", "viewing.css", "truth.css", "take_out.css")
NUM_CLASSES = 5
# A page from disk may show a video but not read its pixels, which saving a picture needs. A clip of
# up to this size is also written as a script, loaded when a picture is saved from disk.
MAX_SCRIPT_CLIP_BYTES = 32 * 2**20
DEFAULT_CONTOURS = (0.5,)  # of the page's switch, where the options name no levels
# Colour maps that people of every colour vision can read, also in grey.
SAFE_COLORMAPS = ("inferno", "magma", "plasma", "viridis", "cividis")


def write_page(
    folder: Path,
    maps: BlendedMaps,
    summary: dict[str, Any],
    config: RenderConfig,
    copy: BrowserCopy,
    masks: Sequence[Mask] = (),
) -> None:
    """Write the page of one clip: index.html and what it loads from page/.

    Args:
        folder: of the clip's results.
        maps: of the explanation.
        summary: as ``summarise`` returns it. File names and labels are escaped.
        config: how the page looks when it is opened.
        copy: the clip for the browser, in page/.
        masks: of the ground truth, whose outlines are drawn on the pictures.
    """
    page = folder / PAGE_FOLDER
    page.mkdir(exist_ok=True)
    parts = motion_parts(maps)
    for index, blended in enumerate([*maps, *parts]):
        write_maps(page, blended, index)
    data = _page_data(page, maps, parts, summary, config, copy)
    data["truth"] = _events(summary, maps.explanation, masks)
    (page / "data.js").write_text(
        f"const DATA = {script_json(for_page_data(data))};\n", encoding="ascii"
    )
    (page / f"{SCRIPT}.js").write_text(_script(), encoding="utf-8")
    text = ENVIRONMENT.get_template("page.html").render(
        policy=PagePolicy(),
        summary=summary,
        headline=_headline(maps.explanation, summary),
        title=data["title"],
        folder=PAGE_FOLDER,
        scripts=("data", SCRIPT),
        style=_style(),
        clip=data["clip"],
        motion_bars=motion_bars(summary["motion_test"]) if summary.get("motion_test") else [],
        frame_test=data["frame_test"],
        truth=summary.get("truth"),
        events=data["truth"],
        noted=_counts_of_notes(summary["notes"]),
    )
    (folder / "index.html").write_text(text, encoding="utf-8")


@cache
def _script() -> str:
    """All scripts as one: a file for each would take longer to write than the rest of the page."""
    return "".join(read_asset(f"{name}.js") for name in SCRIPTS)


@cache
def _style() -> str:
    return "".join(map(read_asset, STYLES))


@cache
def _colormaps() -> dict[str, dict[str, Any]]:
    """The colours of each colour map, and whether everybody can read it."""
    return {
        name: {
            "safe": name in SAFE_COLORMAPS,
            "colours": base64(Palette(name, 1).colours.tobytes()),
        }
        for name in COLORMAPS
    }


def _counts_of_notes(notes: Sequence[dict[str, str]]) -> list[tuple[str, int]]:
    """What the notes are called, and how many there are; without what there is none of."""
    num_warnings = sum(note["kind"] == WARNING for note in notes)
    counts = {"warning": num_warnings, "note": len(notes) - num_warnings}
    return [(name, count) for name, count in counts.items() if count]


def _headline(explanation: Explanation, summary: dict[str, Any]) -> dict[str, Any]:
    """The first target and its score; the predicted class where another class is explained."""
    target, entry = explanation.maps[0].target, summary["targets"][0]
    predicted = summary["predictions"][0] if summary["predictions"] else None
    is_other = (
        predicted
        and isinstance(target, ClassTarget)
        and ClassTarget(predicted["class_id"]) != target
    )
    score = (
        f"{100 * entry['score']:.1f} %" if explanation.is_probability(target) else entry["shown"]
    )
    return {
        "label": entry["label"],
        "score": score,
        "predicted": predicted if is_other else None,
    }


def _page_data(
    page: Path,
    maps: BlendedMaps,
    parts: Sequence[BlendedMap],
    summary: dict[str, Any],
    config: RenderConfig,
    copy: BrowserCopy,
) -> dict[str, Any]:
    """What the scripts know before a chunk of maps is loaded, ready for JSON."""
    explanation = maps.explanation
    keyframes = [k["frame_index"] for k in summary["keyframes"]]
    return {
        "title": Path(explanation.clip.path).name,
        "identity": _identity(explanation),
        "is_single": False,
        "folder": PAGE_FOLDER,
        "clip": _clip(page, explanation, copy),
        "timeline": _timeline(explanation),
        "model": {"name": explanation.model.name, "trained": explanation.model.trained},
        "maps": [
            *(describe_map(explanation, blended) for blended in maps),
            *describe_parts(maps, parts),
        ],
        "classes": _classes(maps),
        "keyframes": keyframes,
        "network_frames": pack_integers(np.diff(explanation.keyframes(), prepend=0)),
        "frame_test": _frame_test(explanation),
        "windows": explanation.frame_indices[:, [0, -1]].tolist(),
        "seen_box": explanation.geometry.seen_box,
        "colormaps": _colormaps(),
        "contours": config.contours or DEFAULT_CONTOURS,
        "command_defaults": {
            name: getattr(RenderConfig, name)
            for name in ("layout", "colormap", "alpha", "normalize")
        },
        "initial_view": {
            "frame_index": most_important(
                maps, sorted({*keyframes, *sufficient_frames(explanation)})
            ),
            "colormap": config.colormap,
            "opacity": config.alpha,
            "normalize": config.normalize,
            "view": config.layout,
            "contours": bool(config.contours),
        },
    }


def _identity(explanation: Explanation) -> str:
    """What marks are kept under: the same for the same frames, network, targets and maps.

    Explaining a clip again keeps it, as marks are about frames; numbers of maps do not count.
    """
    timeline, model = explanation.timeline, explanation.model
    maps = [(target_number(one.target), one.layer, one.method) for one in explanation.maps]
    names = [Path(explanation.clip.path).name, model.name, model.weights, explanation.span, maps]
    text = script_json([*names, str(timeline.time_base), timeline.last_duration])
    return hashlib.sha256(text.encode() + timeline.pts.tobytes()).hexdigest()[:32]


def _frame_test(explanation: Explanation) -> dict[str, Any] | None:
    """What the frame test found, and the frames with pictures; None where there is nothing."""
    result = explanation.frame_test
    if result is None or not result["frame_indices"]:
        return None
    return {
        "frames": result["frame_indices"],
        **{name: result[name] for name in ("contributions", "standard_errors")},
        "sufficient": result["sufficient_frames"],
        "shown": sufficient_frames(explanation),
        "unit": unit_of_contributions(explanation),
    }


def _events(
    summary: dict[str, Any], explanation: Explanation, masks: Sequence[Mask]
) -> dict[str, Any] | None:
    """When and where the ground truth says the event is; None where it says nothing."""
    geometry = explanation.geometry
    outlines = outlines_of(masks, geometry.source_height, geometry.source_width)
    given = (summary.get("truth") or {}).get("given") or {}
    spans, times = given.get("spans", []), [seconds for _, seconds in given.get("key_times", [])]
    boxes, hold = given.get("boxes", []), given.get("hold_frames", 1)
    num_not_drawn = len(masks) if len(masks) > MAX_MASKS else 0
    if not (spans or times or boxes or outlines or num_not_drawn):
        return None
    return {
        "spans": spans,
        "times": times,
        "boxes": boxes,
        "outlines": outlines,
        "hold_frames": hold,
        "num_not_drawn": num_not_drawn,
    }


def _clip(page: Path, explanation: Explanation, copy: BrowserCopy) -> dict[str, Any]:
    info = explanation.clip
    is_small = copy.path.stat().st_size <= MAX_SCRIPT_CLIP_BYTES
    if is_small:
        write_bytes_script(page, "clip", copy.path.read_bytes())
    return {
        "file": f"{PAGE_FOLDER}/{copy.path.name}",
        "type": f"video/{copy.path.suffix[1:]}",
        "in_script": is_small,
        "start_seconds": float(copy.start_seconds),
        "width": info.width,
        "height": info.height,
        "coded_width": copy.width,
        "coded_height": copy.height,
        "pixel_aspect": float(info.sample_aspect_ratio),
        "has_audio": info.has_audio,
        "is_whole": explanation.span == (0, explanation.timeline.num_frames),
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


def _classes(maps: BlendedMaps) -> list[dict[str, Any]]:
    """The targets with maps and the best other classes: their scores in all and over time."""
    explanation = maps.explanation
    colours = colours_of_targets(explanation, NUM_CLASSES)
    return [
        {
            "class_id": target_number(target),
            "label": explanation.label(target),
            "score": explanation.score(target),
            "is_probability": explanation.is_probability(target),
            "colour": colours[target],
            "curve": pack_levels(shorten(curve, np.mean, MAX_CURVE_POINTS).clip(min=0)),
        }
        for target, curve in zip(colours, maps.score_curves(list(colours)), strict=True)
    ]
