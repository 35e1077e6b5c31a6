"""The page's timeline: frames under the pointer, labelled times, its range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.browser import STATE, change, frame_of, goto, wait_until
from tests.support.pages import UNEVEN

TICKS = [
    # span, width, clip's end -> step, first labels
    ((0, 10), 1000, 10, 1, ["0 s", "1 s", "2 s"]),
    ((2.1, 2.6), 800, 10, 0.05, ["2.10 s", "2.15 s", "2.20 s"]),
    ((0, 600), 1000, 600, 60, ["0:00", "1:00", "2:00"]),
    ((61, 63.9), 1000, 600, 0.5, ["1:01.0", "1:01.5", "1:02.0"]),
    ((0, 7200), 700, 7200, 900, ["0:00:00", "0:15:00", "0:30:00"]),
    ((3599, 3601), 300, 7200, 0.5, ["0:59:59.0", "0:59:59.5", "1:00:00.0"]),
    ((0.0001, 0.004), 500, 1, 0.001, ["0.001 s", "0.002 s", "0.003 s"]),
]
# The time stamps of ten minutes at 25 frames per second.
LONG = """Object.assign(new Timeline(DATA.timeline), {
  first: 0, stop: 15000, numerator: 1, denominator: 25,
  ticks: Float64Array.from({length: 15001}, (_, i) => i),
})"""


def test_ticks_and_ranges_are_those_of_the_arithmetic(page: Any) -> None:
    for (begin, end), width, clip_end, step, labels in TICKS:
        found = page.evaluate(f"tickStep({end - begin}, {width})")
        assert found == step, (begin, end)
        shown = page.evaluate(
            f"tickTimes({begin}, {end}, {step}).map((t) => tickLabel(t, {step}, {clip_end}))"
        )
        assert shown[: len(labels)] == labels
        assert width / (end - begin) * step >= 70
    # They are drawn where the times are.
    at = page.evaluate("app.scrub.scale.x(1)")
    end = page.evaluate("app.timeline.seconds(40)")
    assert at == pytest.approx(page.evaluate("app.scrub.scale.width") / end)
    row = page.evaluate(
        """() => {
          const { canvas } = app.scrub;
          return [...canvas.getContext("2d").getImageData(0, BAR_HEIGHT + 2, canvas.width, 1).data];
        }"""
    )
    opaque = np.flatnonzero(np.array(row[3::4]) > 200)
    step = page.evaluate(
        "tickStep(app.scrub.scale.end - app.scrub.scale.begin, app.scrub.scale.width)"
    )
    assert list(opaque) == [round(at * i * step) for i in range(len(opaque))]
    assert round(at) in opaque

    # The range is zoomed around a frame and moved within the clip.
    page.evaluate(f"window.long = {LONG}")
    for range_, factor, anchor, expected in [
        (None, 0.5, 7500, [3750, 11249]),
        (None, 0.1, 0, [0, 1499]),
        ([1000, 1999], 0.5, 1250, [1125, 1624]),
        ([1000, 1007], 0.5, 1003, [1000, 1007]),  # the shortest range
        ([1000, 1999], 0.9999, 1500, [1001, 1999]),
        ([1000, 8999], 2, 5000, None),
        ([0, 99], 2, 10, [0, 199]),
    ]:
        found = page.evaluate("(a) => zoomedRange(long, ...a)", [range_, factor, anchor])
        assert found == expected, (range_, factor, anchor)
    assert page.evaluate("movedRange(long, [100, 199], -500)") == [0, 99]
    assert page.evaluate("movedRange(long, [100, 199], 20000)") == [14900, 14999]
    assert page.evaluate("followedRange(long, [100, 199], 150)") == [100, 199]
    first, last = page.evaluate("followedRange(long, [100, 199], 200)")
    assert (last - first, first < 200 < first + 20) == (99, True)
    # Ten minutes on a thousand pixels: where a frame is wide enough, it is the one that is clicked.
    assert page.evaluate("new TimeScale(long, [7000, 7099], 1000).frameAt(555)") == 7055


def test_clicks_hit_the_frame_under_the_pointer_in_every_range(page: Any) -> None:
    """For every frame of an uneven clip: near its begin, in its middle and near its end."""
    stamps = [*(np.array(UNEVEN) / 1000), page.evaluate("app.timeline.seconds(40)")]
    for chosen in (None, [4, 25], [12, 19]):
        change(page, range=chosen, frame_index=12)
        first, last = chosen or [0, 39]
        box = page.locator("#scrub").bounding_box()
        width = page.evaluate("app.scrub.scale.width")
        points = []
        for frame in range(first, last + 1):
            for share in (0.1, 0.5, 0.9):
                seconds = stamps[frame] + share * (stamps[frame + 1] - stamps[frame])
                x = (seconds - stamps[first]) / (stamps[last + 1] - stamps[first]) * width
                points.append((frame, box["x"] + 1 + x))
        found = page.evaluate(
            "xs => xs.map((x) => app.scrub.frameAt({clientX: x}))", [x for _, x in points]
        )
        assert found == [frame for frame, _ in points], chosen
    # What is pointed at is said, and what is clicked is shown: in the range above.
    frame, x = points[13]
    page.mouse.move(x, box["y"] + 20)
    assert f"frame {frame} · 0:0" in page.inner_text("#pointed")
    page.mouse.click(x, box["y"] + 20)
    wait_until(page, f"{STATE}.frame_index === {frame}")

    # Brute force: the mass of frames 10 to 19, each in the middle of its frame.
    change(page, range=[10, 19])
    points = page.evaluate("curvePoints(app.masses[0], app.scrub.scale, largestOf)")
    inside = [
        point for point in points if 0 < point["middle"] < page.evaluate("app.scrub.scale.width")
    ]
    mass = page.evaluate("app.masses[0]")
    assert [point["value"] for point in inside] == mass[10:20]
    stamps = np.array(UNEVEN[10:21]) / 1000
    middles = (stamps[1:] + stamps[:-1]) / 2
    width = page.evaluate("app.scrub.scale.width")
    expected = (middles - stamps[0]) / (stamps[-1] - stamps[0]) * width
    assert [point["middle"] for point in inside] == pytest.approx(list(expected))
    # More values than pixels: the largest of those in a pixel.
    values = list(np.random.default_rng(0).random(1000))
    points = page.evaluate(
        "v => curvePoints(v, new TimeScale(app.timeline, null, 100), largestOf)", values
    )
    assert [point["value"] for point in points] == [
        max(values[i : i + 10]) for i in range(0, 1000, 10)
    ]


def test_wheel_buttons_keys_and_the_overview_change_the_range(page: Any) -> None:
    box = page.locator("#scrub").bounding_box()
    at = round(box["x"] + 0.7 * box["width"]), box["y"] + 40
    goto(page, 30)
    page.mouse.move(*at)
    under = f"app.scrub.frameAt({{clientX: {at[0]}}})"
    before = page.evaluate(under)
    assert not page.is_visible("#overview")
    page.mouse.wheel(0, -350)  # half as many frames
    wait_until(page, f"{STATE}.range !== null && location.hash.includes('range=')")
    first, last = page.evaluate(f"{STATE}.range")
    assert last - first + 1 == 20 and abs(page.evaluate(under) - before) <= 1
    assert page.is_visible("#overview")
    page.keyboard.down("Shift")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Shift")
    wait_until(page, f"{STATE}.range[0] < {first}")
    # The overview: drag the range to its begin, click at the end.
    overview = page.locator("#overview").bounding_box()
    middle = overview["x"] + page.evaluate(
        f"app.range._scale.at(({STATE}.range[0] + {STATE}.range[1]) / 2)"
    )
    page.mouse.move(middle, overview["y"] + 8)
    page.mouse.down()
    page.mouse.move(overview["x"] + 1, overview["y"] + 8, steps=3)
    page.mouse.up()
    wait_until(page, f"{STATE}.range.join() === '0,19'")
    assert frame_of(page) == 30  # a range may lie elsewhere, until the frame changes
    page.keyboard.press("ArrowRight")
    wait_until(page, f"{STATE}.range[0] <= 31 && 31 <= {STATE}.range[1]")
    page.mouse.click(overview["x"] + overview["width"] - 2, overview["y"] + 8)
    wait_until(page, f"{STATE}.range[1] === 39")
    page.keyboard.press("Shift+T")
    wait_until(page, f"{STATE}.range === null")
    page.keyboard.press("t")
    wait_until(page, f"{STATE}.range !== null")
    page.click("#range-all")
    wait_until(page, f"{STATE}.range === null")
