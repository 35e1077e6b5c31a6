"""How long the stages of a command take, each in the thread that it runs in."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pkgutil import resolve_name
from typing import Any
from unittest.mock import patch

import torch

# Name -> where its function is looked up when the command runs.
PASSES = {
    "load the network": "video_cam.batch.network:load_explainer",
    "clip": "video_cam.batch.runner:ClipRunner.run",
    "fingerprint": "video_cam.batch.runner:fingerprint",
    "open the clip": "video_cam.pipeline:Clip.open",
    "explain": "video_cam.pipeline:explain_clip",
    "check": "video_cam.pipeline:verify",
    "render": "video_cam.pipeline:render_with",
}
STAGES = {
    "plan": "video_cam.explanation.explainer:plan_clip",
    "convert to RGB": "video_cam.video.reader:Frame.rgb",
    "resize and crop": "video_cam.models.preprocessing:Preprocess.frame",
    "normalise and copy": "video_cam.explanation.window_inputs:WindowInputs.__call__",
    "network": "video_cam.attribution.attributor:Attributor.__call__",
    "network in the check": "video_cam.metrics.perturbation_check:run_network",
    "put maps together": "video_cam.explanation.explainer:aggregate",
    "draw": "video_cam.rendering.panels:PanelDrawer.draw",
    "captions, to YUV": "video_cam.rendering.annotated_video:AnnotatedVideo.encodable",
    "encode the video": "video_cam.rendering.annotated_video:AnnotatedVideo.write",
    "prove the copy": "video_cam.video.browser_copy:shows_the_same",
    "copy for the page": "video_cam.video.browser_copy:BrowserCopy.write",
    "save keyframes": "video_cam.rendering.renderer:save_keyframe",
    "save thumbnails": "video_cam.rendering.renderer:save_thumbnail",
    "images of the sheet": "video_cam.rendering.renderer:sheet_image",
    "contact sheet": "video_cam.rendering.renderer:write_contact_sheet",
    "timeline.png": "video_cam.rendering.renderer:draw_timeline",
    "explanation.npz": "video_cam.rendering.renderer:write_fields",
    "page": "video_cam.rendering.renderer:write_page",
    "types of options": "video_cam.config:check_types",
    "digest of the clip": "video_cam.explanation.clip_plan:source_digest",
    "prepare the network": "video_cam.explanation.explainer:WindowRunner",
    "facts of the explanation": "video_cam.explanation.explainer:_explanation",
    "read the window": "video_cam.metrics.perturbation_check:read_input",
    "regions to blur": "video_cam.metrics.perturbation_check:shifted_regions",
    "blend the maps": "video_cam.rendering.renderer:BlendedMaps",
    "choose frames": "video_cam.rendering.renderer:_ClipDrawing",
    "give to threads": "video_cam.utils.threads:BackgroundCalls.call",
    "entries of keyframes": "video_cam.rendering.renderer:describe_keyframes",
    "codec of the clip": "video_cam.rendering.renderer:is_encoded",
    "thumbnail of the clip": "video_cam.rendering.renderer:save_image",
    "facts of the summary": "video_cam.rendering.renderer:summarise",
    "digests of the files": "video_cam.rendering.renderer:describe_contents",
    "summary.json": "video_cam.rendering.renderer:summary_bytes",
}
# Context managers, whose entering and leaving are timed.
CONTEXTS = {
    "claim the clip": "video_cam.batch.runner:claimed",
    "results to disk": "video_cam.rendering.renderer:replace_folder",
    "open the copy": "video_cam.rendering.renderer:BrowserCopy",
}
DECODE = "decode"  # a reader's frames, without their pixels
ON_THE_DEVICE = ("network", "network in the check")


@dataclass
class Times:
    """Sums over all calls of a stage.

    Attributes:
        calls: how often it ran.
        wall: seconds, of all threads together.
        cpu: seconds of the thread that called; threads of libraries are not in them.
        own_cpu: of them, those that are in no other stage or pass.
    """

    calls: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    own_cpu: float = 0.0


@dataclass
class StageTimes:
    """What ``measured`` found.

    Attributes:
        passes: Times of each of PASSES.
        stages: (pass, stage) -> Times.
        network_seconds: on the device, from the start to the end of each call of the network and
            of the gradients; on a CPU the wall time of these calls.
    """

    passes: dict[str, Times] = field(default_factory=lambda: defaultdict(Times))
    stages: dict[tuple[str, str], Times] = field(default_factory=lambda: defaultdict(Times))
    network_seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """In JSON's types."""
        return {
            "passes": {name: vars(times) for name, times in self.passes.items()},
            "stages": {" / ".join(key): vars(times) for key, times in self.stages.items()},
            "network_seconds": self.network_seconds,
        }


@contextmanager
def measured(device: str) -> Iterator[StageTimes]:
    """Time the stages of what is called in the block, which runs one clip at a time.

    Args:
        device: of the network; on "cuda" its time is taken with events.
    """
    found = StageTimes()
    recorder = _Recorder(found, device)
    with ExitStack() as stack:
        for name, place in PASSES.items():
            stack.enter_context(_replaced(place, recorder.timed_pass(name)))
        for name, place in STAGES.items():
            stack.enter_context(_replaced(place, recorder.timed_stage(name)))
        for name, place in CONTEXTS.items():
            stack.enter_context(_replaced(place, recorder.timed_context(name)))
        reading = "video_cam.video.reader:FrameReader.__iter__"
        stack.enter_context(_replaced(reading, recorder.timed_frames))
        yield found
        recorder.finish()


class _Recorder:
    def __init__(self, found: StageTimes, device: str) -> None:
        self._found, self._with_events = found, device.startswith("cuda")
        self._events: list[tuple[Any, Any]] = []
        self._pass = ""
        self._lock = threading.Lock()
        self._of_thread = threading.local()  # .inner: CPU time of what is called within a stage

    def timed_pass(self, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """A decorator for the function of a pass."""

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(function)
            def run(*arguments: Any, **named: Any) -> Any:
                outer, self._pass = self._pass, name
                try:
                    with self._timed(self._found.passes, name):
                        return function(*arguments, **named)
                finally:
                    self._pass = outer

            return run

        return decorate

    def timed_stage(self, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """A decorator for the function of a stage."""

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(function)
            def run(*arguments: Any, **named: Any) -> Any:
                on_device = name in ON_THE_DEVICE and self._with_events
                with self._timed(self._found.stages, (self._pass, name)):
                    if on_device:
                        return self._with_event_pair(function, arguments, named)
                    return function(*arguments, **named)

            return run

        return decorate

    def timed_context(self, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """A decorator for what makes a context manager, whose two ends are the stage."""

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(function)
            @contextmanager
            def run(*arguments: Any, **named: Any) -> Iterator[Any]:
                with ExitStack() as stack:
                    ends = stack.enter_context(ExitStack())
                    with self._timed(self._found.stages, (self._pass, name)):
                        value = ends.enter_context(function(*arguments, **named))
                    yield value
                    with self._timed(self._found.stages, (self._pass, name)):
                        ends.close()

            return run

        return decorate

    def timed_frames(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``FrameReader.__iter__`` with every step timed."""

        @wraps(function)
        def frames(reader: Any) -> Iterator[Any]:
            iterator, of_pass = function(reader), self._pass
            while True:
                with self._timed(self._found.stages, (of_pass, DECODE)):
                    frame = next(iterator, None)
                if frame is None:
                    return
                yield frame

        return frames

    def finish(self) -> None:
        """Sum up the time of the network."""
        if self._with_events:
            torch.cuda.synchronize()
            seconds = sum(before.elapsed_time(after) for before, after in self._events) / 1e3
        else:
            stages = self._found.stages.items()
            seconds = sum(times.wall for (_, name), times in stages if name in ON_THE_DEVICE)
        self._found.network_seconds = seconds

    def _with_event_pair(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], named: Mapping[str, Any]
    ) -> Any:
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.record()
        try:
            return function(*arguments, **named)
        finally:
            after.record()
            self._events.append((before, after))

    @contextmanager
    def _timed(self, table: dict[Any, Times], key: Any) -> Iterator[None]:
        outer = getattr(self._of_thread, "inner", 0.0)
        self._of_thread.inner = 0.0
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
            with self._lock:  # stages run in several threads
                times = table[key]
                times.calls += 1
                times.wall += wall
                times.cpu += cpu
                times.own_cpu += cpu - self._of_thread.inner
            self._of_thread.inner = outer + cpu


def _replaced(place: str, decorate: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Any:
    """A context in which the function at "module:name" or "module:Class.name" is decorated."""
    module, _, path = place.partition(":")
    *outer, name = path.split(".")
    owner = resolve_name(f"{module}:{'.'.join(outer)}" if outer else module)
    stored = vars(owner)[name]
    if isinstance(stored, classmethod):
        return patch.object(owner, name, classmethod(decorate(stored.__func__)))
    return patch.object(owner, name, decorate(stored))
