"""The page of two or more runs: which clips changed, and their videos in step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from video_cam.rendering.page.assets import ENVIRONMENT, address, read_asset
from video_cam.rendering.page.policy import PagePolicy
from video_cam.rendering.page.script_data import script_json
from video_cam.utils.files import write_atomically
from video_cam.utils.text import for_page

CURVE_DIGITS = 4


def write_comparison(
    folder: Path,
    names: Sequence[str],
    sentences: Sequence[str],
    clips: Sequence[Mapping[str, Any]],
) -> None:
    """Write index.html, whole or not at all.

    Args:
        folder: of the page; addresses of videos are relative to it.
        names: of the runs.
        sentences: what is different, in words.
        clips: in the order in which they are shown: name, truth, change, predictions (of each run,
            as in summary.json), correct, correlations (of each run but the first), difference (a
            ``MapDifference`` or None), videos (path and start_seconds), timeline (when each frame
            appears, in seconds).
    """
    has_truth = any(clip["truth"] for clip in clips)
    text = ENVIRONMENT.get_template("comparison.html").render(
        policy=PagePolicy(),
        names=names,
        sentences=sentences,
        has_truth=has_truth,
        data=script_json(
            {
                "names": [for_page(name) for name in names],
                "hasTruth": has_truth,
                "clips": [_clip(clip) for clip in clips],
            }
        ),
        style="".join(map(read_asset, ("page.css", "gallery.css", "comparison.css"))),
        script="".join(map(read_asset, ("timeaxis.js", "comparison.js"))),
    )
    write_atomically(folder / "index.html", text.encode())


def _clip(clip: Mapping[str, Any]) -> dict[str, Any]:
    difference = clip["difference"]
    parent, separator, name = clip["name"].rpartition("/")
    return {
        "name": for_page(name),
        "path": for_page(parent + separator + name),
        "truth": for_page(clip["truth"]),
        "change": clip["change"],
        "labels": [for_page(one["label"]) for one in clip["predictions"]],
        "shown": [for_page(one["shown"]) for one in clip["predictions"]],
        "correct": clip["correct"],
        "correlations": clip["correlations"],
        "videos": [
            {"address": address(one["path"]), "start": one["start_seconds"]}
            for one in clip["videos"]
        ],
        "times": clip["timeline"],
        "difference": difference
        and {
            "start": difference.start_seconds,
            "step": difference.step_seconds,
            "curve": [round(float(value), CURVE_DIGITS) for value in difference.curve],
            "seconds": difference.seconds,
            "x": round(difference.place[0]),
            "y": round(difference.place[1]),
        },
    }
