"""Results as recordings of Rerun (https://rerun.io): frames, heat, cells and scores over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from video_cam.config import RenderConfig
from video_cam.explanation.blending import Maps
from video_cam.export.export_folder import Exported, export_with
from video_cam.export.results import Result
from video_cam.rendering.explained_targets import series_of_targets
from video_cam.rendering.heat import HeatMapper
from video_cam.rendering.overlay import Palette, fit, opacity_share
from video_cam.utils.extras import import_extra
from video_cam.utils.files import StrPath
from video_cam.utils.names import check_positive
from video_cam.utils.reporter import Reporter
from video_cam.utils.text import for_page, for_picture

FRAME, TIME = "frame", "time"  # the timelines: source frame index, time stamp
MAX_SIDE = 640  # pixels of frames
_JPEG_QUALITY = 85
_HEAT_LEVELS = 63  # a PNG of 256 levels has twice the size, and looks the same
_MAX_TEXT_LETTERS, _MAX_NAME_LETTERS = 2000, 60


def to_rerun(
    results: StrPath,
    output: StrPath | None = None,
    *,
    maps: Sequence[int] = (),
    every: int = 1,
    max_side: int = MAX_SIDE,
    reporter: Reporter | None = None,
) -> Exported:
    """Write one .rrd file for each clip, named after its folder.

    Its timelines are ``frame``, the index in the source, and ``time``, the time stamp. Entities:
    ``clip`` (frames as JPEG), ``clip/heat_N`` (map N as a transparent picture over them),
    ``clip/seen`` (the box that the network saw), ``maps/N`` (the signed cells as a tensor),
    ``mass/N`` (mean of the positive cells), ``scores/N`` (score of the N-th target in the windows
    around the frame) and ``about`` (text).

    Args:
        results: the folder of a run or of one clip, as in ``to_npz``.
        output: the folder to write, as in ``to_npz``.
        maps: which maps, as in ``to_npz``.
        reporter: is told of clips that are left out, as in ``to_npz``; None raises.
        every: every so many frames of the source.
        max_side: of frames, in pixels; larger ones are scaled down.

    Raises:
        UsageError: without rerun-sdk, for wrong options or missing results.
    """
    import_extra("rerun", "rerun")
    return export_with(_RerunWriter(every, max_side), results, output, maps, reporter)


class _RerunWriter:
    format = "rerun"

    def __init__(self, every: int, max_side: int) -> None:
        self.notes: list[str] = []
        self.every, self.max_side = every, max_side
        check_positive(self, ("every", "max_side"))

    def add(self, result: Result, folder: Path) -> None:
        import rerun

        name = for_page(result.name)
        with rerun.RecordingStream("video_cam", recording_id=name) as stream:
            stream.save(folder / f"{folder.name}.rrd", default_blueprint=_blueprint(result))
            stream.send_recording_name(name)
            _Recording(stream, result, self.max_side).write(self.every)
            stream.flush()
            stream.disconnect()

    def finish(self, folder: Path) -> None:
        pass


class _Recording:
    """Logs one clip, frame by frame."""

    def __init__(self, stream: Any, result: Result, max_side: int) -> None:
        self._stream, self._result, self._max_side = stream, result, max_side
        explanation = result.explanation
        self._aspect = float(explanation.clip.sample_aspect_ratio)
        config = RenderConfig()
        self._palette, self._alpha = Palette.of(config), config.alpha
        self._mappers = {
            index: HeatMapper(result.maps[index], explanation.geometry, config.normalize)
            for index in result.chosen_maps
        }
        self._has_seen_box = False
        self._targets = series_of_targets(explanation)
        self._scores = result.maps.score_curves([series.target for series in self._targets])

    def write(self, every: int) -> None:
        import rerun

        explanation = self._result.explanation
        first, stop = explanation.span
        self._stream.log("about", rerun.TextDocument(_about(self._result)), static=True)
        for number, series in enumerate(self._targets):
            self._name_curve(f"scores/{number}", series.label)
        for number, mapper in self._mappers.items():
            of_map = mapper.blended.series
            name = f"{of_map.label}, {of_map.layer}, {of_map.method}"
            self._name_curve(f"mass/{number}", name)
        with self._result.clip.frames(first, stop) as reader:
            for frame in reader:
                if (frame.index - first) % every:
                    continue
                seconds = float(explanation.timeline.pts_seconds(frame.index))
                self._stream.set_time(FRAME, sequence=frame.index)
                self._stream.set_time(TIME, duration=seconds)
                self._log_frame(frame.index, frame.rgb())

    def _name_curve(self, entity: str, name: str) -> None:
        import rerun

        shown = for_picture(name, _MAX_NAME_LETTERS)
        self._stream.log(entity, rerun.SeriesLines(names=shown), static=True)

    def _log_frame(self, index: int, rgb: np.ndarray) -> None:
        import rerun

        shown = fit(rgb, self._max_side, self._aspect)
        if not self._has_seen_box:
            self._has_seen_box = True
            self._log_seen_box(shown.shape[1] / rgb.shape[1], shown.shape[0] / rgb.shape[0])
        self._stream.log("clip", rerun.EncodedImage(contents=_jpeg(shown), media_type="image/jpeg"))
        for number, mapper in self._mappers.items():
            blended = mapper.blended
            picture = self._heat(mapper, index, rgb.shape[:2], shown.shape[:2])
            self._stream.log(
                f"clip/heat_{number}",
                rerun.EncodedImage(contents=picture, media_type="image/png", draw_order=number + 1),
            )
            position = index - blended.first
            self._stream.log(f"mass/{number}", rerun.Scalars(float(blended.mass[position])))
            cells = blended.cells(index)
            if cells is not None:
                limit = float(blended.peak)
                self._stream.log(
                    f"maps/{number}",
                    rerun.Tensor(cells, dim_names=("y", "x"), value_range=(-limit, limit)),
                )
        position = index - self._result.explanation.span[0]
        for number, curve in enumerate(self._scores):
            self._stream.log(f"scores/{number}", rerun.Scalars(float(curve[position])))

    def _log_seen_box(self, x_scale: float, y_scale: float) -> None:
        """Log what the network saw, in pixels of the shown frames."""
        import rerun

        left, top, right, bottom = self._result.explanation.geometry.seen_box
        box = rerun.Boxes2D(
            mins=[left * x_scale, top * y_scale],
            sizes=[(right - left) * x_scale, (bottom - top) * y_scale],
        )
        self._stream.log("clip/seen", box, static=True)

    def _heat(
        self, mapper: HeatMapper, index: int, size: Sequence[int], shown: Sequence[int]
    ) -> bytes:
        """A PNG of the heat's colours and opacity over the whole frame."""
        heat = mapper.coarse_heat(index)
        whole = np.zeros(size, np.float32)
        left, top, right, bottom = mapper.box
        if heat is not None and right > left and bottom > top:
            whole[top:bottom, left:right] = _enlarged(heat, (right - left, bottom - top))
        small = cv2.resize(whole, (shown[1], shown[0]), interpolation=cv2.INTER_AREA).clip(0, 1)
        levels = np.rint(small * _HEAT_LEVELS) / np.float32(_HEAT_LEVELS)
        colours = cv2.cvtColor(self._palette.colour(levels), cv2.COLOR_RGB2BGR)
        opacity = np.rint(255 * self._alpha * opacity_share(levels)).astype(np.uint8)
        return _encoded(".png", np.dstack([colours, opacity]))


def _enlarged(heat: Maps, size: tuple[int, int]) -> Maps:
    return cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR)


def _jpeg(rgb: np.ndarray) -> bytes:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    return _encoded(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))


def _encoded(suffix: str, picture: np.ndarray, options: Sequence[int] = ()) -> bytes:
    _, data = cv2.imencode(suffix, picture, options)
    return data.tobytes()


def _about(result: Result) -> str:
    """What the numbers in the entities' names stand for."""
    explanation = result.explanation
    lines = [explanation.clip.path, f"{explanation.model.name} ({explanation.model.weights})", ""]
    for index in result.chosen_maps:
        series = explanation.maps[index]
        detail = f", detail {series.detail}" if explanation.has_details else ""
        lines.append(f"map {index}: {series.label}, {series.layer}, {series.method}{detail}")
    for number, series in enumerate(series_of_targets(explanation)):
        lines.append(f"score {number}: {series.label}")
    if result.truth is not None:
        lines.append(f"ground truth: {result.truth}")
    return for_page("\n".join([*lines, *map(str, explanation.notes)]))[:_MAX_TEXT_LETTERS]


def _blueprint(result: Result) -> Any:
    """One picture with the first map on it, curves below, cells and text beside."""
    from rerun import blueprint

    first, *others = result.chosen_maps
    hidden = [f"- /clip/heat_{number}" for number in others]
    return blueprint.Blueprint(
        blueprint.Horizontal(
            blueprint.Vertical(
                blueprint.Spatial2DView(
                    origin="/clip", contents=["+ /clip/**", *hidden], name="clip"
                ),
                blueprint.TimeSeriesView(origin="/scores", name="scores"),
                blueprint.TimeSeriesView(origin="/mass", name="map mass"),
                row_shares=(4, 1, 1),
            ),
            blueprint.Vertical(
                blueprint.TensorView(origin=f"/maps/{first}", name=f"cells of map {first}"),
                blueprint.TextDocumentView(origin="/about", name="about"),
            ),
            column_shares=(3, 1),
        ),
        blueprint.TimePanel(timeline=TIME),
        collapse_panels=True,
    )
