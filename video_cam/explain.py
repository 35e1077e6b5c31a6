"""The first pass: a clip -> windows of frames -> network -> small signed maps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from video_cam.cam import TargetMaps, evaluate, place
from video_cam.capture import find_module
from video_cam.contributions import complete_bias, head_bias
from video_cam.errors import ClipError, UsageError
from video_cam.explanation import Explanation, MapSeries, ModelInfo
from video_cam.labels import class_id
from video_cam.models import UNTRAINED, Classifier
from video_cam.options import Options, make_options
from video_cam.progress import Progress, silent
from video_cam.receptive_field import trace_chains
from video_cam.sampling import Window, span_of
from video_cam.video import ClipInfo, FrameReader, Timeline, probe
from video_cam.windows import batches, plan_windows, read_windows

# Each window is asked about its own best classes as well as those that lead the clip so far, in
# the hope that the clip's best are among them: then one reading of the clip is enough.
SPARE_CANDIDATES = 1


def explain(
    clip: str | PathLike[str],
    model: Classifier,
    *,
    progress: Progress = silent,
    **options: Any,
) -> Explanation:
    """What ``model`` looked at in the video, GIF, still image or folder of frames ``clip``.

    ``options`` are the fields of Options. Raises UsageError for wrong options, ClipError for a
    clip that cannot be used.
    """
    return explain_with(fspath(clip), model, make_options(options), progress)


def explain_with(
    path: str, model: Classifier, options: Options, progress: Progress = silent
) -> Explanation:
    """``explain`` with ready-made options."""
    began = time.perf_counter()
    clip, timeline = probe(path)
    try:
        sweeps = _Sweeps(path, clip, timeline, model, options, progress)
        sweeps.run()
    except _OtherFramesDecoded:
        # Damaged and unusual files hold other frames than their packets promise.
        sweeps = _Sweeps(path, clip, _decoded_timeline(path), model, options, progress)
        sweeps.run()
    seconds = {"explain": time.perf_counter() - began}
    return sweeps.explanation(seconds)


class _OtherFramesDecoded(Exception):
    """The decoder's frames are not those the plan was made for."""


def _decoded_timeline(path: str) -> Timeline:
    with FrameReader(path) as reader:
        for _ in reader:
            pass
        return reader.timeline


class _Sweeps:
    """The readings of one clip: scores of every window, maps of the classes asked for."""

    def __init__(
        self,
        path: str,
        clip: ClipInfo,
        timeline: Timeline,
        model: Classifier,
        options: Options,
        progress: Progress,
    ) -> None:
        self.path, self.clip, self.timeline = path, clip, timeline
        self.model, self.options, self.progress = model, options, progress
        self.layers = options.layers or (model.layer,)
        self.asked = [class_id(c, model.labels) for c in options.class_ids]
        self.span = span_of(timeline, options.start, options.end)
        self.windows = plan_windows(timeline, self.span, model, options)
        self.num_damaged = 0
        self.logits = np.zeros((len(self.windows), len(model.labels)), np.float32)
        self.probabilities = np.zeros_like(self.logits)
        self.maps: dict[tuple[int, int], list[Tensor]] = {}  # (window, class id) -> layer x method
        self.input_size = (len(self.windows[0].frame_indices), *model.preprocess.crop)
        self.request = options.request(self.layers, model.unpack, progress)
        self.slots = [(layer, method) for layer in self.layers for method in options.methods]
        for layer in self.layers:
            find_module(model.module, layer)
        self.chains = trace_chains(model.module, torch.empty(1, 3, *self.input_size), self.layers)

    def run(self) -> None:
        """Read the clip; read it again for windows whose maps of the chosen classes are missing."""
        self._sweep(dict(enumerate(self.windows)), self._candidates)
        self.targets = self._targets()
        missing = {
            index: window
            for index, window in enumerate(self.windows)
            if any((index, target) not in self.maps for target in self.targets)
        }
        if missing:
            self._sweep(missing, lambda outputs: self.targets)

    def _sweep(
        self, windows: dict[int, Window], choose: Callable[[Tensor], Sequence[int | list[int]]]
    ) -> None:
        with (
            FrameReader(self.path, stop_index=self.span.stop) as reader,
            self.progress("explain", len(windows)) as step,
        ):
            frames = iter(reader)
            inputs = read_windows(frames, list(windows.values()), self.model.preprocess)
            numbered = zip(windows, inputs, strict=False)
            for batch in batches(numbered, self.options.batch_size):
                self._explain_batch(batch, choose)
                step(len(batch))
            for _ in frames:  # to the end, so that its frames can be counted
                pass
            self._check_frames(reader)

    def _check_frames(self, reader: FrameReader) -> None:
        self.num_damaged = reader.num_damaged
        if not np.array_equal(reader.timeline.pts, self.timeline.pts[: self.span.stop]):
            raise _OtherFramesDecoded

    def _explain_batch(
        self,
        batch: list[tuple[int, np.ndarray]],
        choose: Callable[[Tensor], Sequence[int | list[int]]],
    ) -> None:
        indices = [index for index, _ in batch]
        x = self.model.preprocess.tensor(
            np.stack([frames for _, frames in batch]), self.model.device
        )

        def note_and_choose(outputs: Any) -> Sequence[int | list[int]]:
            logits = _logits(outputs, len(self.model.labels))
            self.logits[indices] = logits.cpu().numpy()
            self.probabilities[indices] = logits.softmax(1).cpu().numpy()
            return choose(logits)

        _, found = evaluate(self.model.module, x, self.request, note_and_choose, self.chains)
        for maps in found:
            self._keep(indices, maps)

    def _keep(self, indices: list[int], maps: TargetMaps) -> None:
        assert maps.class_ids is not None  # every target here is a class
        values = [maps.values[slot].cpu() for slot in self.slots]
        for row, (index, target) in enumerate(zip(indices, maps.class_ids.tolist(), strict=True)):
            self.maps[index, target] = [value[row] for value in values]

    def _candidates(self, logits: Tensor) -> list[int | list[int]]:
        """The classes asked for, else each window's best and the best of the clip so far."""
        if self.asked:
            return list(self.asked)
        wanted = min(self.options.top_k, logits.shape[1])
        if len(self.windows) == 1:
            return _ranked(logits, wanted)
        own = _ranked(logits, min(wanted + SPARE_CANDIDATES, logits.shape[1]))
        return [*own, *self._best(wanted)]

    def _targets(self) -> list[int]:
        targets = self.asked or self._best(self.options.top_k)
        if self.options.worst:
            targets = [*targets, int(self.probabilities.mean(0).argmin())]
        return list(dict.fromkeys(targets))

    def _best(self, count: int) -> list[int]:
        return np.argsort(-self.probabilities.mean(0), kind="stable")[:count].tolist()

    def explanation(self, seconds: dict[str, float]) -> Explanation:
        """Everything that was found, as one result."""
        model, windows = self.model, self.windows
        frame_indices = np.array([window.frame_indices for window in windows], np.int64)
        return Explanation(
            clip=self.clip,
            model=ModelInfo(
                model.name,
                model.weights,
                tuple(self.layers),
                self.input_size[0],
                self.options.frame_rate or model.frame_rate,
                model.trained,
            ),
            labels=model.labels,
            geometry=model.preprocess.geometry(self.clip.height, self.clip.width),
            timeline=self.timeline,
            frame_indices=frame_indices,
            num_padded=np.array([window.num_padded for window in windows], np.int64),
            probabilities=self.probabilities,
            maps=self._series(),
            span=(self.span.first, self.span.stop),
            options=self.options.as_json(),
            notes=tuple(self._notes()),
            seconds=seconds,
        )

    def _series(self) -> tuple[MapSeries, ...]:
        series = []
        for target in self.targets:
            logits = self.logits[:, target]
            head = head_bias(self.model.module, target, len(self.model.labels))
            for slot, (layer, method) in enumerate(self.slots):
                rows = [self.maps[index, target][slot] for index in range(len(self.windows))]
                values = torch.stack(rows)
                centres = place(values, self.input_size, self.chains[layer], self.options.align)
                label = self.model.labels[target]
                maps = values.numpy()
                bias = complete_bias(maps, logits, head)
                series.append(MapSeries(target, label, layer, method, maps, centres, logits, bias))
        return tuple(series)

    def _notes(self) -> Iterator[str]:
        if not self.model.trained:
            yield UNTRAINED
        declared = self.clip.declared_frames
        if declared and self.timeline.num_frames < declared:
            yield f"decoded {self.timeline.num_frames} of {declared} frames: the file is incomplete"
        if self.num_damaged:
            yield f"{self.num_damaged} damaged packets were skipped"
        padded = self.windows[0].num_padded
        if padded:
            repeated = "frames are" if self.options.sampling == "uniform" else "its last frame is"
            yield (
                f"the clip gives {self.input_size[0] - padded} of the {self.input_size[0]} frames "
                f"the network takes: {repeated} repeated"
            )


def _ranked(logits: Tensor, count: int) -> list[int | list[int]]:
    """The best class of each sample, then the second best of each, and so on."""
    return list(logits.topk(count, 1).indices.T.tolist())


def _logits(outputs: Any, classes: int) -> Tensor:
    if not isinstance(outputs, Tensor) or outputs.ndim != 2 or outputs.shape[1] != classes:
        shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise UsageError(f"the network put out {shape}, expected (N, {classes}) class scores")
    logits = outputs.detach().float()
    if not logits.isfinite().all():
        raise ClipError("the network put out values that are not finite: check its weights")
    return logits
