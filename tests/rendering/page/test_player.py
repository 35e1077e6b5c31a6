"""The page's player: exact frames, stepping, playing, looping, the scrub bar, keyframes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from tests.support.browser import (
    STATE,
    change,
    difference,
    frame_of,
    goto,
    read_canvas,
    screenshot_canvas,
    wait_until,
)
from tests.support.media import moving_texture, write_clip
from tests.support.pages import CLOSE, Rendered, make_clip, render_page
from video_cam import Classifier


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("h264", {"start": 0.45, "end": 1.0}),
        ("turned", {}),
        ("webm", {}),
        ("avi", {}),
        ("range", {}),
        ("encoded", {}),
        ("encoded", {"start": 0.2, "end": 0.6}),
    ],
)
def test_every_kind_of_copy_is_frame_exact_when_served(
    kind: str,
    options: dict[str, float],
    bundled: Classifier,
    tmp_path: Path,
    open_page: Any,
    serve: Any,
) -> None:
    made = render_page(make_clip(kind, tmp_path), bundled, tmp_path / "out", **options)
    frames = list(made.frames)[:: max(1, len(made.frames) // 6)]
    frames = [*frames[::-1], *frames, made.frames[-1]]
    page = open_page(f"{serve(tmp_path / 'out')}/index.html")
    for frame, expected in zip(frames, made.overlay(frames), strict=True):
        goto(page, frame)
        assert difference(read_canvas(page), expected) < CLOSE, (kind, frame)


def as_live_stream(path: Path) -> None:
    """Write a webm again as it is sent live: without a duration and without an index."""
    live = path.with_name("live.webm")
    with (
        av.open(str(path)) as container,
        av.open(str(live), "w", container_options={"live": "1"}) as output,
    ):
        stream = output.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    live.replace(path)


def test_a_video_in_which_the_browser_cannot_seek_is_loaded_whole(
    bundled: Classifier, tmp_path: Path, open_page: Any, serve: Any
) -> None:
    """As a live stream from a server that sends no parts of files."""
    # Large enough that the browser does not have all of it at once.
    options = {"crf": "10", "b": "500k", "deadline": "realtime"}
    clip = tmp_path / "v.webm"
    write_clip(clip, moving_texture(75, 320, 240), codec="libvpx", options=options)
    made = render_page(clip, bundled, tmp_path / "out")
    as_live_stream(tmp_path / "out" / "page" / "clip.webm")
    page = open_page(f"{serve(tmp_path / 'out')}/index.html#frame=0")
    frames = [30, 0, 50, 74]
    for frame, expected in zip(frames, [made.overlay([i])[0] for i in frames], strict=True):
        goto(page, frame)
        assert difference(read_canvas(page), expected) < CLOSE, frame


def test_a_frame_that_the_browser_does_not_show_is_told(page: Any) -> None:
    page.evaluate("app.player._seekTo = async () => app.timeline.seconds(3)")
    goto(page, 7)
    assert "shows another frame than 7" in page.inner_text("#message")


def test_keys_step_through_the_clip(page: Any) -> None:
    for key, frame in [
        ("ArrowRight", 1),
        ("Shift+ArrowRight", 11),
        ("ArrowLeft", 10),
        ("End", 39),
        ("ArrowRight", 39),
        ("Shift+ArrowLeft", 29),
        ("Home", 0),
        ("ArrowLeft", 0),
    ]:
        page.keyboard.press(key)
        wait_until(page, "videoCam.goto(videoCam.state.frame_index).then(() => true)")
        assert frame_of(page) == frame, key
        assert page.get_attribute("#scrub", "aria-valuenow") == str(frame)


def test_keys_jump_between_keyframes(page: Any, rendered: Rendered) -> None:
    before, here, after = rendered.explanation.keyframes()[2:5]
    goto(page, here)
    page.keyboard.press("PageDown")
    wait_until(page, f"{STATE}.frame_index === {after}")
    for frame in (here, before):
        page.keyboard.press("PageUp")
        wait_until(page, f"{STATE}.frame_index === {frame}")


def test_keys_choose_class_view_and_loop(page: Any) -> None:
    page.keyboard.press("2")
    wait_until(page, f"{STATE}.class_id === [...new Set(DATA.maps.map(m => m.class_id))][1]")
    page.keyboard.press("v")
    wait_until(page, f"{STATE}.view === 'side-by-side'")
    page.keyboard.press("l")
    wait_until(page, f"{STATE}.loop?.join() === '0,39'")
    goto(page, 7)
    page.keyboard.press("[")
    wait_until(page, f"{STATE}.loop?.join() === '7,39'")
    page.keyboard.press("l")
    wait_until(page, f"{STATE}.loop === null")


def test_keys_that_a_control_uses_are_left_to_it(page: Any) -> None:
    page.focus("#opacity")
    page.keyboard.press("ArrowLeft")
    wait_until(page, f"{STATE}.opacity < 0.7")
    assert frame_of(page) == 0
    page.focus("#scrub")
    page.keyboard.press("ArrowRight")
    wait_until(page, f"{STATE}.frame_index === 1")
    page.click("#opacity")  # a control that was used with the mouse loses the focus
    opacity = page.evaluate(f"{STATE}.opacity")
    page.keyboard.press("ArrowRight")
    wait_until(page, f"{STATE}.frame_index === 2")
    assert page.evaluate(f"{STATE}.opacity") == opacity


def test_after_many_fast_keys_the_last_requested_frame_is_drawn(
    page: Any, rendered: Rendered
) -> None:
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    wait_until(page, f"{STATE}.frame_index === 12 && app.player.shown === 12")
    wait_until(page, "app.stage.maps.every((map) => app.frameOf(map))")
    (expected,) = rendered.overlay([12])
    assert difference(screenshot_canvas(page), expected) < CLOSE


def test_buttons_step_through_the_clip(page: Any) -> None:
    for button, frame in [
        ("forward", 1),
        ("forward10", 11),
        ("back", 10),
        ("last", 39),
        ("back10", 29),
        ("first", 0),
    ]:
        page.click(f"#{button}")
        wait_until(page, f"{STATE}.frame_index === {frame}")


def test_space_plays_every_frame_to_the_end_and_a_span_in_a_loop(page: Any) -> None:
    page.evaluate(
        """() => {
          window.seen = [];
          const draw = app.draw.bind(app);
          app.draw = () => { draw(); seen.push(app.player.shown); };
        }"""
    )
    page.select_option("#speed", "0.25")  # a busy machine skips fewer frames
    change(page, frame_index=30)
    page.locator("body").press(" ")
    wait_until(page, f"{STATE}.frame_index === 39 && !app.player.playing")
    seen = page.evaluate("[...new Set(seen)]")
    assert seen == sorted(seen) and len(seen) >= 3  # a busy machine may skip some
    change(page, loop=[2, 4])
    page.keyboard.press(" ")
    wait_until(page, "seen.join().match(/4,2(,2)*,3.*4,2(,2)*,3/)")
    page.keyboard.press(" ")
    wait_until(page, "!app.player.playing")
    assert 2 <= frame_of(page) <= 4


def test_the_speed_is_that_of_the_video(page: Any) -> None:
    page.select_option("#speed", "0.25")
    assert page.evaluate("document.querySelector('#video').playbackRate") == 0.25


def test_keyframes_show_the_chosen_map(page: Any, rendered: Rendered) -> None:
    keyframes = rendered.explanation.keyframes()
    # Opacities of the first keyframe's heat, 0 ... 255.
    read = """async () => {
      await app.maps.load([app.chosen], DATA.keyframes[0]);
      const canvas = document.querySelector("#strip canvas");
      const copy = new OffscreenCanvas(canvas.width, canvas.height);
      const context = copy.getContext("2d", { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((_, i) => i % 4 === 3).reduce((a, b) => Math.max(a, b), 0);
    }"""
    change(page, frame_index=keyframes[0], normalize="frame", opacity=1)
    wait_until(page, f"({read})().then((largest) => largest > 240)")
    change(page, opacity=0.5)
    wait_until(page, f"({read})().then((largest) => largest > 100 && largest < 130)")


def test_a_click_on_a_keyframe_jumps_there(page: Any, rendered: Rendered) -> None:
    keyframes = rendered.explanation.keyframes()
    assert page.locator("#strip button").count() == len(keyframes)
    page.click(f"#strip button[aria-label='Jump to keyframe {keyframes[3]}']")
    wait_until(page, f"{STATE}.frame_index === {keyframes[3]}")
    wait_until(page, "document.querySelectorAll('#strip img')[3].naturalWidth > 0")
    assert page.locator("#strip [aria-current=true]").inner_text() == str(keyframes[3])
    width = page.locator("#strip img").nth(3).evaluate("image => image.naturalWidth")
    assert width == page.evaluate("DATA.maps[0].box[2] - DATA.maps[0].box[0]")


def test_the_scrub_bar_moves_and_chooses_a_span(page: Any) -> None:
    box = page.locator("#scrub").bounding_box()
    begin, end = page.evaluate("[0, 40].map((frame) => app.timeline.seconds(frame))")

    def at(frame: int) -> tuple[float, float]:
        """The middle of a frame's time."""
        seconds = sum(page.evaluate(f"[{frame}, {frame + 1}].map((f) => app.timeline.seconds(f))"))
        share = (seconds / 2 - begin) / (end - begin)
        return box["x"] + 1 + share * (box["width"] - 2), box["y"] + box["height"] / 2

    page.mouse.click(*at(20))
    wait_until(page, f"{STATE}.frame_index === 20")
    page.keyboard.down("Shift")
    page.mouse.move(*at(10))
    page.mouse.down()
    page.mouse.move(*at(30))
    page.mouse.up()
    page.keyboard.up("Shift")
    wait_until(page, f"{STATE}.loop?.join() === '10,30'")
    assert frame_of(page) == 20
