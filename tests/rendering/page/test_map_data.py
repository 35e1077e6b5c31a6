"""The chunks of maps that the page loads, read as maps.js reads them."""

from __future__ import annotations

import zlib
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from video_cam import Explanation
from video_cam.explanation.quantised_maps import QuantisedMaps
from video_cam.rendering.blended_maps import BlendedMap
from video_cam.rendering.page.map_data import describe_map, frames_per_chunk, write_maps
from video_cam.rendering.page.script_data import read_bytes_script


@pytest.mark.parametrize("quantised", [False, True])
def test_a_chunk_holds_the_blended_maps_of_its_frames(
    quantised: bool, explanation: Explanation, tmp_path: Path
) -> None:
    if quantised:
        first = explanation.maps[0]
        maps = (replace(first, values=QuantisedMaps.of(first.values)), *explanation.maps[1:])
        explanation = replace(explanation, maps=maps)
    blended = BlendedMap(explanation, 0)
    described = describe_map(explanation, blended)
    assert described["cell_bytes"] == (1 if quantised else 2)
    write_maps(tmp_path, blended, 0)
    data = zlib.decompress(b64decode(read_bytes_script(tmp_path / "maps" / "0-0.js")[1]))
    grid = (len(described["y"]), len(described["x"]))
    count = len(data) // (12 + described["cell_bytes"] * grid[0] * grid[1])
    assert count == min(frames_per_chunk(blended), len(blended.mass))
    heads = np.frombuffer(data, np.float32, 3 * count).reshape(count, 3)
    kind = np.int8 if quantised else np.int16
    differences = np.frombuffer(data, kind, offset=12 * count).reshape(count, *grid)
    values = np.cumsum(differences, axis=0, dtype=kind) * heads[:, :1, None]
    for frame in range(count):
        cells = blended.cells(blended.first + frame)
        assert cells is not None
        step = np.abs(cells).max() / (63 if quantised else 32767)
        np.testing.assert_allclose(values[frame], cells, atol=0.51 * step)


def test_a_still_map_takes_little(explanation: Explanation, tmp_path: Path) -> None:
    """Where nothing changes, frames after the first one of a chunk cost next to nothing."""
    noise = np.random.default_rng(0).normal(size=(1, 1, 32, 32)).astype(np.float32)
    windows, cells = explanation.maps[0].values.shape[:2]
    axis = np.arange(32.0) * 3.5
    series = replace(
        explanation.maps[0],
        values=QuantisedMaps.of(np.tile(noise, (windows, cells, 1, 1))),
        centres=replace(explanation.maps[0].centres, y=axis, x=axis),
    )
    blended = BlendedMap(replace(explanation, maps=(series,)), 0)
    write_maps(tmp_path, blended, 0)
    size = (tmp_path / "maps" / "0-0.js").stat().st_size
    assert size < 2 * 32 * 32 + 20 * len(blended.mass) < 32 * 32 * len(blended.mass) / 10
