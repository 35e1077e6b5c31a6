"""The first pass: a clip -> windows of frames -> network -> small signed maps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from video_cam.attribution.cam import Request, TargetMaps, evaluate, place
from video_cam.attribution.targets import Target
from video_cam.config import ExplainConfig, function_name, make_explain_config
from video_cam.errors import ClipError, UsageError
from video_cam.explanation.aggregation import (
    Found,
    Subject,
    build_series,
    class_subject,
    function_subject,
    window_subject,
)
from video_cam.explanation.contributions import head_bias
from video_cam.explanation.explanation import Explanation, ModelInfo, function_id
from video_cam.explanation.notes import notes, notes_on_maps
from video_cam.explanation.sampling import Span, Window, span_of
from video_cam.explanation.scenes import CutHint, crossed, split_scenes
from video_cam.explanation.window_reader import batches, plan_windows, read_windows
from video_cam.explanation.window_result import Deal, Findings, Part
from video_cam.layers.alignment import CellCentres
from video_cam.layers.cache import remembered_chains
from video_cam.layers.cell_positions import find_chains
from video_cam.layers.outputs import class_scores, frame_scores, shares
from video_cam.models.classifier import Classifier
from video_cam.models.labels import class_id
from video_cam.models.user_code import find_function
from video_cam.utils.memory import BatchHalving
from video_cam.utils.names import as_tuple
from video_cam.utils.progress import Progress, silent
from video_cam.utils.threads import prefetch
from video_cam.video.reader import FrameReader
from video_cam.video.scan import ClipInfo, decoded_timeline, probe
from video_cam.video.timeline import Timeline

# Batches of windows that are read while the network runs.
BATCHES_AHEAD = 2
WAITING_FRAMES = 8

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

    ``options`` are the fields of ExplainConfig. Raises UsageError for wrong options, ClipError
    for a clip that cannot be used.
    """
    if not isinstance(clip, str | PathLike):
        raise UsageError(f"the clip is {clip!r}, expected a path")
    if not isinstance(model, Classifier):
        raise UsageError(
            f"the network is a {type(model).__name__}, expected what load_model returns: "
            "video_cam.load_model(network) takes one at hand"
        )
    functions = as_tuple(options.get("targets", ()))
    options["targets"] = [find_function(f) if isinstance(f, str) else f for f in functions]
    return explain_with(fspath(clip), model, make_explain_config(options), progress)


def explain_with(
    path: str,
    model: Classifier,
    options: ExplainConfig,
    progress: Progress = silent,
    deal: Deal | None = None,
) -> Explanation:
    """``explain`` with ready-made options; ``deal`` has windows done elsewhere."""
    began = time.perf_counter()
    clip, timeline = probe(path)
    try:
        sweeps = _Sweeps(path, clip, timeline, model, options, progress, deal)
        sweeps.run()
    except OtherFramesDecoded:
        # Damaged and unusual files hold other frames than their packets promise.
        decoded = decoded_timeline(path)
        sweeps = _Sweeps(path, clip, decoded, model, options, progress, deal, seek=False)
        sweeps.run()
    seconds = {"explain": time.perf_counter() - began}
    return sweeps.explanation(seconds)


def explain_part(part: Part, model: Classifier, options: ExplainConfig) -> Findings:
    """What a run finds in some of a clip's windows, to be put together where ``deal`` was given."""
    clip, _ = probe(part.path)
    sweeps = _Sweeps(part.path, clip, part.timeline, model, options, silent)
    return sweeps.part(part)


class OtherFramesDecoded(Exception):
    """The decoder's frames are not those the plan was made for."""


class _Sweeps:
    """The readings of one clip: scores of every window, maps of the classes asked for."""

    def __init__(
        self,
        path: str,
        clip: ClipInfo,
        timeline: Timeline,
        model: Classifier,
        options: ExplainConfig,
        progress: Progress,
        deal: Deal | None = None,
        seek: bool = True,
    ) -> None:
        self.deal = deal
        if model.framewise and Path(path).is_dir():  # numbered pictures: each is one to look at
            model = replace(model, frame_rate=clip.frame_rate)
        self.path, self.clip, self.timeline = path, clip, timeline
        self.model, self.options, self.progress = model, options, progress
        self.asked = [class_id(c, model.labels) for c in options.class_ids]
        self.known = timeline if seek else None
        self.span = span_of(timeline, options.start, options.end)
        self.scenes = self._scenes()
        self.windows = plan_windows(timeline, self.scenes, model, options)
        self.cuts: set[int] = set()
        self.num_damaged = 0
        self.batch_size = model.batch(options.batch_size)
        self.halving = BatchHalving(self.batch_size)
        self.logits = np.zeros((len(self.windows), len(model.labels)), np.float32)
        self.probabilities = np.zeros_like(self.logits)
        self.function_scores = np.zeros((len(self.windows), len(options.targets)), np.float32)
        self.maps: dict[tuple[int, int], list[Tensor]] = {}  # (window, class id) -> layer x method
        self.frame_scores: dict[tuple[int, int], np.ndarray] = {}
        self.input_size = (len(self.windows[0].frame_indices), *model.preprocess.crop)
        chosen = model.layers(self.input_size, options.layers, options.conv_backcount)
        self.layers, self.folds = chosen.names, chosen.folds
        self.request = Request(
            self.layers,
            unpack=self.folds,
            progress=progress,
            **{f.name: getattr(options, f.name) for f in fields(options.attribution())},
        )
        self.slots = [(layer, method) for layer in self.layers for method in options.methods]
        shape = torch.empty(1, 3, *self.input_size)
        remember = partial(remembered_chains, model)
        self.chains = find_chains(
            model.module, shape, self.layers, self.folds, options.align, remember
        )

    def run(self) -> None:
        """Read the clip; read it again for windows whose maps of the chosen classes are missing."""
        self._sweep(dict(enumerate(self.windows)), None)
        self.subjects = self._subjects()
        missing = {
            index: window
            for index, window in enumerate(self.windows)
            if any((index, c) not in self.maps for s in self.subjects for c in s.needed(index))
        }
        if missing:
            # Each window's own classes are among its candidates: what is missing is the clip's.
            # Functions were asked in the first reading.
            needed = {c for index in missing for s in self.subjects for c in s.needed(index)}
            self._sweep(missing, sorted(c for c in needed if c >= 0))

    def part(self, part: Part) -> Findings:
        """Only these windows."""
        self._sweep({index: self.windows[index] for index in part.windows}, part.classes)
        return Findings(
            part.windows,
            self.probabilities[list(part.windows)],
            self.logits[list(part.windows)],
            self.function_scores[list(part.windows)],
            self.maps,
            self.frame_scores,
            self.num_damaged,
            self.halving.note,
            frozenset(self.cuts),
        )

    def _take(self, findings: Findings) -> None:
        self.probabilities[list(findings.windows)] = findings.probabilities
        self.logits[list(findings.windows)] = findings.logits
        # A second reading asks no functions, and leaves zeros.
        self.function_scores[list(findings.windows)] += findings.function_scores
        self.maps.update(findings.maps)
        self.frame_scores.update(findings.frame_scores)
        self.num_damaged = max(self.num_damaged, findings.num_damaged)
        self.halving.note = self.halving.note or findings.note
        self.cuts |= findings.cuts

    def _sweep(self, windows: dict[int, Window], classes: list[int] | None) -> None:
        """Look at these windows, here or elsewhere; None for the classes that may be the best."""
        if self.deal is None:
            self._sweep_here(windows, self._candidates if classes is None else lambda _: classes)
            return
        with self.progress("explain", len(windows)) as step:
            whole = Part(self.path, self.timeline, tuple(windows), classes)
            for findings in self.deal(whole, self.batch_size):
                self._take(findings)
                step(len(findings.windows))

    def _sweep_here(
        self, windows: dict[int, Window], choose: Callable[[Tensor], Sequence[Target]]
    ) -> None:
        hint = CutHint()
        with (
            FrameReader(self.path, self.span.first, self.span.stop, self.known) as reader,
            self.progress("explain", len(windows)) as step,
            prefetch(self._read(reader, windows, hint), BATCHES_AHEAD) as read,
        ):
            for batch in read:
                self.halving.run(batch, partial(self._explain_batch, choose=choose))
                step(len(batch))
            self._check_frames(reader)
        if self.options.sampling == "windows":
            self.cuts |= {*crossed(hint.cuts(), list(windows.values()))}

    def _read(
        self, reader: FrameReader, windows: dict[int, Window], hint: CutHint
    ) -> Iterator[list[tuple[int, np.ndarray]]]:
        """Batches of numbered windows; then the clip's other frames, so that they are counted."""
        frames = iter(reader)
        inputs = read_windows(frames, list(windows.values()), self.model.preprocess, hint.note)
        yield from batches(zip(windows, inputs, strict=False), self.batch_size)
        for _ in frames:
            pass

    def _scenes(self) -> list[Span]:
        if not self.options.split_scenes:
            return [self.span]
        with (
            FrameReader(self.path, self.span.first, self.span.stop, self.known) as reader,
            prefetch(reader, WAITING_FRAMES) as frames,
        ):
            return split_scenes(frames, self.span, self.clip.frame_rate)

    def _check_frames(self, reader: FrameReader) -> None:
        self.num_damaged = reader.num_damaged
        expected = self.timeline.pts[reader.first_decoded : self.span.stop]
        if not np.array_equal(reader.timeline.pts, expected):
            raise OtherFramesDecoded

    def _explain_batch(
        self,
        batch: Sequence[tuple[int, np.ndarray]],
        choose: Callable[[Tensor], Sequence[Target]],
    ) -> None:
        indices = [index for index, _ in batch]
        x = self.model.preprocess.tensor(
            np.stack([frames for _, frames in batch]), self.model.device
        ).to(self.model.dtype)

        def note_and_choose(outputs: Any) -> Sequence[Target]:
            logits = _logits(outputs, len(self.model.labels))
            self.logits[indices] = logits.cpu().numpy()
            self.probabilities[indices] = shares(logits, self.model.score).cpu().numpy()
            return choose(logits)

        request = replace(self.request, batch_size=self.halving.size)
        outputs, found = evaluate(self.model.module, x, request, note_and_choose, self.chains)
        of_frames = frame_scores(outputs)
        if of_frames is not None:
            of_frames = shares(of_frames.float(), self.model.score).cpu()
        for maps in found:
            self._keep(indices, maps, of_frames)

    def _keep(self, indices: list[int], maps: TargetMaps, of_frames: Tensor | None) -> None:
        if maps.class_ids is None:
            number = self.options.targets.index(maps.target)
            ids = [function_id(number)] * len(indices)
            self.function_scores[indices, number] = maps.scores.cpu().numpy()
        else:
            ids = maps.class_ids.tolist()
        values = [maps.values[slot].cpu() for slot in self.slots]
        for row, (index, target) in enumerate(zip(indices, ids, strict=True)):
            self.maps[index, target] = [value[row] for value in values]
            if of_frames is not None and target >= 0:
                self.frame_scores[index, target] = of_frames[row, :, target].numpy()

    def _candidates(self, logits: Tensor) -> list[Target]:
        """The classes asked for, else each window's best and the best of the clip so far."""
        options, classes, functions = self.options, logits.shape[1], list(self.options.targets)
        if self.asked or functions:
            return [*self.asked, *functions]
        wanted = min(options.top_k + options.contrast, classes)
        if options.class_scope == "window":
            worst = [logits.argmin(1).tolist()] if options.worst else []
            return [*_ranked(logits, wanted), *worst]
        if len(self.windows) == 1:
            return _ranked(logits, wanted)
        own = _ranked(logits, min(wanted + SPARE_CANDIDATES, classes))
        return [*own, *self._best(wanted)]

    def _subjects(self) -> list[Subject]:
        options, scores = self.options, self.probabilities
        functions = [
            function_subject(function_id(number), function_name(function), len(scores))
            for number, function in enumerate(options.targets)
        ]
        if options.class_scope == "window":
            ranks = [*range(min(options.top_k, scores.shape[1])), *[-1] * options.worst]
            own = [window_subject(scores, rank, options.contrast) for rank in ranks]
            return [*own, *functions]
        targets = self.asked or ([] if functions else self._best(options.top_k))
        if options.worst:
            targets = [*targets, int(scores.mean(0).argmin())]
        classes = [
            class_subject(target, scores, self.model.labels, options.contrast)
            for target in dict.fromkeys(targets)
        ]
        return [*classes, *functions]

    def _best(self, count: int) -> list[int]:
        return np.argsort(-self.probabilities.mean(0), kind="stable")[:count].tolist()

    def explanation(self, seconds: dict[str, float]) -> Explanation:
        """Everything that was found, as one result."""
        model, windows = self.model, self.windows
        found = Found(self.maps, self.frame_scores, self.logits, self._head_bias)
        maps = tuple(build_series(self.subjects, found, self.slots, self._place, self.options.fuse))
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
                model.score,
            ),
            labels=model.labels,
            geometry=model.preprocess.geometry(self.clip.height, self.clip.width),
            timeline=self.timeline,
            frame_indices=frame_indices,
            num_padded=np.array([window.num_padded for window in windows], np.int64),
            probabilities=self.probabilities,
            function_scores=self.function_scores,
            functions=tuple(map(function_name, self.options.targets)),
            maps=maps,
            span=(self.span.first, self.span.stop),
            scenes=tuple((scene.first, scene.stop) for scene in self.scenes),
            options=self.options.as_json(),
            notes=tuple(
                notes(
                    self.clip,
                    self.timeline,
                    model,
                    self.options,
                    windows,
                    self.scenes,
                    sorted(self.cuts),
                    self.num_damaged,
                    self.halving.note,
                )
            )
            + tuple(notes_on_maps(maps)),
            seconds=seconds,
        )

    def _head_bias(self, class_id: int) -> float | None:
        return head_bias(self.model.module, class_id, len(self.model.labels))

    def _place(self, values: Tensor, layer: str) -> CellCentres:
        centres = place(values, self.input_size, self.chains[layer], self.options.align)
        # A slow pathway's cells sit where its frames do among those of the fast one.
        frames = self.model.input_layout.frames_of(len(centres.t), self.input_size[0])
        if frames is None:
            return centres
        return replace(centres, t=frames.numpy().astype(np.float64))


def _ranked(logits: Tensor, count: int) -> list[Target]:
    """The best class of each sample, then the second best of each, and so on."""
    return list(logits.topk(count, 1).indices.T.tolist())


def _logits(outputs: Any, classes: int) -> Tensor:
    logits = class_scores(outputs).detach().float()
    if logits.shape[1] != classes:
        raise UsageError(
            f"the network put out {tuple(logits.shape)}, expected (N, {classes}) class scores"
        )
    if not logits.isfinite().all():
        raise ClipError("the network put out values that are not finite: check its weights")
    return logits
