"""The maps that are measured: this project's. Others are in ``controls`` and ``peers``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

import video_cam
from benchmarks.truth.benchmark_clips import BenchmarkClips
from video_cam import ActivationMap
from video_cam.attribution_config import AttributionConfig
from video_cam.choice_names import ALIGNMENT_NAMES, INPUT_METHOD_NAMES
from video_cam.models.classifier import Classifier
from video_cam.models.registry import load_model

OWN, CONTROL = "video_cam", "control"
DEFAULT_ALIGN = AttributionConfig.align
NO_DETAIL = "none"


@dataclass(frozen=True)
class MapRow:
    """The maps of all clips for one row of the table.

    Attributes:
        method: name of the method or control.
        layer: empty where the maps are of no layer.
        align: how the cell centres were found; empty where the maps are of no layer.
        source: OWN, CONTROL or the name of another tool.
        volumes: float32 (N, T, H, W), signed, on the clips' own grid; where a map takes many
            forward passes, of the first clips alone.
        seconds: per clip, to compute the maps and to upsample them.
        detail: of ``choice_names.DETAIL_NAMES``; empty where the maps are of no layer.
    """

    method: str
    layer: str
    align: str
    source: str
    volumes: Tensor
    seconds: float
    detail: str = ""

    @property
    def is_control(self) -> bool:
        """Whether the maps are of a control."""
        return self.source == CONTROL


def own_rows(
    model: Classifier,
    clips: BenchmarkClips,
    methods: Sequence[str],
    layers: Sequence[str],
    alignments: Sequence[str] = ALIGNMENT_NAMES,
    details: Sequence[str] = ("none",),
    input_clips: int | None = None,
) -> Iterator[MapRow]:
    """This project's maps, nested method, then layer, then alignment and detail.

    Methods of the whole input have one row each, at the end, of the first ``input_clips`` clips.

    Maps without detail are computed once and upsampled from the cell centres of every alignment;
    those with detail have DEFAULT_ALIGN.
    """
    finer = [detail for detail in details if detail != NO_DETAIL]
    alignments = alignments if NO_DETAIL in details else ()
    x = clips.x[:1].to(model.device)
    aligned: dict[str, dict[str, ActivationMap]] = {}
    align_seconds: dict[str, float] = {}
    for align in alignments:
        began = time.perf_counter()
        one_clip = video_cam.compute_cams(model.module, x, layers=layers, align=align)
        aligned[align] = {cam.layer: cam for cam in one_clip}
        align_seconds[align] = (time.perf_counter() - began) / len(clips)
    for method in layer_methods(methods):
        for layer in layers:
            began = time.perf_counter()
            values = _values(model, clips, method, layer) if alignments else torch.empty(0)
            seconds = (time.perf_counter() - began) / len(clips)
            for align in alignments:
                began = time.perf_counter()
                volumes = _upsampled(aligned[align][layer], values)
                upsampling = (time.perf_counter() - began) / len(clips)
                total = seconds + align_seconds[align] + upsampling
                yield MapRow(method, layer, align, OWN, volumes, total, NO_DETAIL)
            for detail in finer:
                began = time.perf_counter()
                volumes = detail_volumes(model, clips, method, layer, detail)
                seconds = (time.perf_counter() - began) / len(clips)
                yield MapRow(method, layer, DEFAULT_ALIGN, OWN, volumes, seconds, detail)
    first = clips.first(len(clips) if input_clips is None else input_clips)
    for method in methods:
        if method in INPUT_METHOD_NAMES:
            began = time.perf_counter()
            volumes = detail_volumes(model, first, method, "", NO_DETAIL)
            seconds = (time.perf_counter() - began) / len(first)
            yield MapRow(method, "", "", OWN, volumes, seconds)


def layer_methods(methods: Sequence[str]) -> list[str]:
    """Those with maps of layers."""
    return [method for method in methods if method not in INPUT_METHOD_NAMES]


def detail_volumes(
    model: Classifier, clips: BenchmarkClips, method: str, layer: str, detail: str
) -> Tensor:
    """Maps of the clips' target classes with a detail: float32 (N, T, H, W), signed.

    ``layer`` is empty for a method of the whole input.
    """
    cams = _cams(model, clips, method, layer, detail=detail)
    return torch.cat([video_cam.upsample(cam, cam.input_size).cpu() for cam in cams])


def class_volumes(
    model: Classifier, clips: BenchmarkClips, method: str, layer: str, align: str
) -> Tensor:
    """Maps of the clips' target classes with one alignment: float32 (N, T, H, W), signed."""
    x = clips.x[:1].to(model.device)
    [cam] = video_cam.compute_cams(model.module, x, layers=[layer], align=align)
    return _upsampled(cam, _values(model, clips, method, layer))


def _values(model: Classifier, clips: BenchmarkClips, method: str, layer: str) -> Tensor:
    """Maps at the layer's resolution, float32 (N, T', H', W'), on the CPU."""
    # The alignment has no effect on the values; this one costs nothing.
    cams = _cams(model, clips, method, layer, align="half-pixel")
    return torch.cat([cam.values.cpu() for cam in cams])


def _cams(
    model: Classifier, clips: BenchmarkClips, method: str, layer: str, **options: Any
) -> Iterator[ActivationMap]:
    """The maps of the clips' target classes, batch by batch; options of ``compute_cams``."""
    for x, class_ids in clips.batches():
        yield from video_cam.compute_cams(
            model.module,
            x.to(model.device),
            layers=[layer] if layer else [],
            methods=[method],
            targets=[class_ids],
            **options,
        )


def _upsampled(aligned: ActivationMap, values: Tensor) -> Tensor:
    """``values`` from the cell centres of ``aligned`` to its input's grid."""
    return video_cam.upsample(replace(aligned, values=values), aligned.input_size)


def untrained(model: Classifier) -> Classifier:
    """The same network with random weights, the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return load_model(model.name, "none", device=model.device)
