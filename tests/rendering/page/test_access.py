"""Names of all controls, tab stops, the list of keys, fingers, small screens."""

from __future__ import annotations

from typing import Any

from tests.support.browser import STATE, frame_of, wait_until
from tests.support.pages import Rendered

INTERACTIVE = {
    *(
        "button",
        "checkbox",
        "combobox",
        "link",
        "listbox",
        "meter",
        "searchbox",
        "slider",
        "spinbutton",
    ),
    *("textbox", "image", "dialog", "DisclosureTriangle"),
}
# Controls smaller than a finger needs: 44 CSS pixels.
SMALL = """[...document.querySelectorAll("button, select, summary, .switch, input[type=range]")]
  .filter((e) => e.offsetParent && !e.closest(".skip"))
  .map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
  .filter(([, { width, height }]) => Math.min(width, height) < 44)"""


def unnamed(page: Any, least: int) -> list[str]:
    """Those of at least so many controls in the accessibility tree that have no name."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    shown = [
        node for node in nodes if not node.get("ignored") and node["role"]["value"] in INTERACTIVE
    ]
    assert len(shown) >= least
    return [str(node) for node in shown if not node.get("name", {}).get("value", "").strip()]


def test_controls_have_names_and_the_keys_are_listed(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    page.evaluate("videoCam.set({box: [1, 1, 9, 9], range: [3, 20], zoom: [2, 40, 30]})")
    assert unnamed(page, 40) == []
    page.keyboard.press("?")
    wait_until(page, "document.getElementById('help').open")
    assert unnamed(page, 2) == []  # the dialog and its button
    keys = page.inner_text("#help")
    for word in ("previous peak", "box", "timeline", "magnify", "full screen", "page up"):
        assert word in keys, word
    page.keyboard.press("ArrowRight")  # belongs to the list
    page.keyboard.press("Escape")
    wait_until(page, "!document.getElementById('help').open")
    assert frame_of(page) == 0
    page.click("#help-open")
    page.click("#help-close")
    assert not page.evaluate("document.getElementById('help').open")


def test_the_keyframes_are_one_tab_stop(page: Any, rendered: Rendered) -> None:
    keyframes = rendered.explanation.keyframes()
    focused = "Number(document.activeElement.closest('li')?.dataset.frame)"
    assert page.locator("#strip button[tabindex='0']").count() == 1
    page.focus("#moment")
    stops = []
    for _ in range(2):
        page.keyboard.press("Tab")
        stops.append(
            page.evaluate(f"document.activeElement.matches('#strip button') ? {focused} : -1")
        )
    assert stops == [keyframes[0], -1]
    page.keyboard.press("Shift+Tab")
    for key, place in [
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", -1),
        ("Home", 0),
        ("ArrowLeft", 0),
    ]:
        page.keyboard.press(key)
        assert page.evaluate(focused) == keyframes[place], key
    assert frame_of(page) == 0  # the focus moves, the clip does not
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    wait_until(page, f"{STATE}.frame_index === {keyframes[1]}")
    # The tab stop follows the clip while the focus is elsewhere.
    page.focus("#scrub")
    page.evaluate(f"videoCam.goto({keyframes[4]})")
    stop = "[...document.querySelectorAll('#strip button')].find((one) => one.tabIndex === 0)"
    wait_until(page, f"{stop}.closest('li').dataset.frame === '{keyframes[4]}'")


def test_words_are_explained_to_pointer_and_keyboard(page: Any) -> None:
    told = page.locator("#explained")
    page.hover(".key .score")
    assert told.inner_text().startswith("class score: The network's probability")
    page.hover("#explained")  # may be pointed at, to read it
    assert told.is_visible()
    page.hover("h1")
    assert not told.is_visible()
    assert page.locator(".key [tabindex='0']").count() == 1
    page.focus("#overview ~ .legend-row .key .score")
    page.keyboard.press("ArrowRight")
    assert told.inner_text().startswith("map mass: ") and frame_of(page) == 0
    page.keyboard.press("Escape")
    assert not told.is_visible()
    page.keyboard.press("Tab")
    page.focus("#method")
    assert told.inner_text().startswith("method: ")
    described = "[...document.querySelectorAll('.word')].map((one) => one.control ?? one)"
    for text in page.evaluate(f"{described}.map((one) => one.getAttribute('aria-describedby'))"):
        assert text and all(page.locator(f"#{name}").count() == 1 for name in text.split())


def test_words_are_explained_to_a_finger(open_page: Any, rendered: Rendered) -> None:
    page = open_page(
        (rendered.folder / "index.html").as_uri(),
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
    )
    page.locator("label[for=method]").tap()
    box = page.locator("#explained").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert page.inner_text("#explained").startswith("method: ")
    page.locator("#moment").tap()
    assert "window: " in page.inner_text("#explained")
    page.locator("#classes").tap()
    assert not page.is_visible("#explained")


def test_a_word_stays_explained_while_something_else_scrolls(page: Any) -> None:
    page.hover(".key .score")
    scrolled = """selector => new Promise((resolve) => {
      document.addEventListener("scroll", resolve, { capture: true, once: true });
      document.querySelector(selector).scrollBy({ left: 9, top: 9, behavior: "instant" });
    })"""
    page.evaluate(scrolled, "#strip")
    assert page.is_visible("#explained")
    page.evaluate(scrolled, "html")
    assert not page.is_visible("#explained")


def test_a_phone_has_large_targets_folded_notes_and_pinch(
    open_page: Any, rendered: Rendered
) -> None:
    page = open_page(
        (rendered.folder / "index.html").as_uri() + "#frame=0",
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
    )
    assert page.evaluate(SMALL) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not page.is_visible(".facts")
    page.locator("#about summary").tap()
    assert page.is_visible(".facts")
    page.set_viewport_size({"width": 1000, "height": 700})
    page.set_viewport_size({"width": 390, "height": 844})
    wait_until(page, "!document.getElementById('about').open")
    box = page.locator("#stage canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        session.send(
            "Input.dispatchTouchEvent",
            {
                "type": kind,
                "touchPoints": [
                    {"x": x + dx, "y": y + dy, "id": i} for i, (dx, dy) in enumerate(points)
                ],
            },
        )

    touch("touchStart", (-30, 0))
    touch("touchStart", (-30, 0), (30, 0))
    for apart in (40, 50, 60):
        touch("touchMove", (-apart, 0), (apart, 0))
    touch("touchEnd")
    wait_until(page, f"{STATE}.zoom?.[0] > 1.9")
    factor, middle, _ = page.evaluate(f"{STATE}.zoom")
    assert 1.9 < factor < 2.1 and abs(middle - 48) < 2
    touch("touchStart", (0, 0))
    for by in (10, 20, 30):
        touch("touchMove", (-by, 0))
    touch("touchEnd")
    wait_until(page, f"{STATE}.zoom[1] > {middle} + 2")
    assert page.evaluate("visualViewport.scale") == 1
    page.touchscreen.tap(x, y)
    assert page.inner_text("#pointed").startswith("pixel ")
