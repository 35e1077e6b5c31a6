"""Run the benchmark: draw the clips, compute and measure the maps, print and write the tables."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from benchmarks.truth.benchmark_clips import BenchmarkClips, draw_benchmark_clips
from benchmarks.truth.check_power import check_power
from benchmarks.truth.controls import CONTROLS, FACTORS, control_rows
from benchmarks.truth.frame_contributions import run_frames
from benchmarks.truth.map_sources import NO_DETAIL, MapRow, layer_methods, own_rows
from benchmarks.truth.measures import measure_maps, measure_units
from benchmarks.truth.motion_shares import run_motion
from benchmarks.truth.options import BenchmarkOptions
from benchmarks.truth.peers import check_installed, peer_rows, peers_with
from benchmarks.truth.table import (
    TableRow,
    as_json,
    difference_tables,
    draw_chart,
    markdown,
    units_markdown,
)
from video_cam.models.classifier import Classifier
from video_cam.models.registry import load_model
from video_cam.utils.files import write_atomically
from video_cam.utils.progress import bar

CHECK_CLIPS = 40  # at most, on which the perturbation check is judged


def run_benchmark(options: BenchmarkOptions) -> None:
    """Print the tables and write the files that are asked for.

    Raises:
        UsageError: an unknown layer, a missing package, or a number of clips that cannot be drawn.
        OSError: a file cannot be written.
    """
    if options.motion:
        run_motion(options)
        return
    if options.frames:
        run_frames(options)
        return
    began = time.perf_counter()
    if options.peers:
        check_installed()
    model = load_model(options.model)
    size = (model.num_frames, *model.preprocess.crop)
    options = replace(options, layers=tuple(model.layers(size, options.layers).names))
    clips = draw_benchmark_clips(model, options.clips, options.seed, bar, options.crowded)
    print(f"{len(clips)} clips count, of {clips.drawn} drawn\n", flush=True)
    rows, unit_rows = _measured_rows(options, model, clips)
    texts = [markdown(rows), *difference_tables(rows), _check_power(options, model, clips)]
    if options.units:
        texts.insert(1, units_markdown(unit_rows))
    text = "\n\n".join(texts)
    print(text)
    print(f"\n{time.perf_counter() - began:.0f} s", flush=True)
    if options.output_dir:
        write_atomically(options.output_dir / "benchmark.md", f"{text}\n".encode())
        draw_chart(options.output_dir / "benchmark.png", rows)
    if options.json:
        write_atomically(options.json, f"{json.dumps(as_json(rows), indent=2)}\n".encode())


def _measured_rows(
    options: BenchmarkOptions, model: Classifier, clips: BenchmarkClips
) -> tuple[list[TableRow], list[TableRow]]:
    """The rows of the main table, and those of the table of units.

    The latter are the first of this project's maps, and the controls.
    """
    own = own_rows(
        model,
        clips,
        options.methods,
        options.layers,
        options.align,
        options.detail,
        options.faithful_clips,
    )
    controls = control_rows(model, clips, options.default_method, options.layers[0])
    peers: Iterator[MapRow] = iter(())
    if options.peers:
        peers = peer_rows(model, clips, layer_methods(options.methods), options.layers)
    rows: list[TableRow] = []
    unit_rows: list[TableRow] = []
    with bar("rows", _number_of_rows(options)) as step:
        for maps in chain(own, controls, peers):
            values = measure_maps(maps, model, clips, options.faithful_clips)
            rows.append(TableRow.of(maps, values))
            if options.units and (not unit_rows or maps.is_control):
                values = measure_units(maps, model, clips, options.faithful_clips)
                unit_rows.append(TableRow.of(maps, values))
            step(1)
    return rows, unit_rows


def _number_of_rows(options: BenchmarkOptions) -> int:
    plain = len(options.align) if NO_DETAIL in options.detail else 0
    methods = layer_methods(options.methods)
    per_layer = len(methods) * (plain + len({*options.detail} - {NO_DETAIL}))
    if options.peers:
        per_layer += sum(len(peers_with(method)) for method in methods)
    of_input = len(options.methods) - len(methods)
    return per_layer * len(options.layers) + of_input + len(CONTROLS) + len(FACTORS) + 1


def _check_power(options: BenchmarkOptions, model: Classifier, clips: BenchmarkClips) -> str:
    first = clips.first(min(2 * options.faithful_clips, CHECK_CLIPS))
    power = check_power(model, first, options.default_method, options.layers[0])
    return f"How well the check separates correct from wrong maps ({len(first)} clips): {power}"
