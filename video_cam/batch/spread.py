"""One clip at a time with its windows on many Ray actors, each of which sends back kilobytes.

The driver plans nothing, runs no network and does not even load one: it dispatches windows, puts
their results together and draws.

    driver     open clip                dispatch windows   aggregate            render
    an actor              plan                                        checks
    actors                              run windows
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from video_cam.batch.gradient_files import gradient_files, write_files
from video_cam.batch.jobs import ClipRecord, Job, failed_record
from video_cam.batch.run_config import RunConfig
from video_cam.config import ExplainConfig
from video_cam.errors import VideoCamError
from video_cam.explanation.clip_plan import ClipPlan
from video_cam.explanation.explainer import explain_plan
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.window_result import WindowResult, split_windows
from video_cam.utils.progress import Progress
from video_cam.utils.reporter import CollectingReporter, Reporter
from video_cam.video.clip import Clip

if TYPE_CHECKING:
    from video_cam.batch.network import NetworkExplainer
    from video_cam.models.classifier import Classifier

PARTS_EACH = 4  # parts for each actor: more even work than one part, and little more decoding


def run_spread(
    ray: Any,
    jobs: Sequence[Job],
    config: RunConfig,
    reporter: Reporter,
    num_actors: int,
    resources: dict[str, float],
) -> Iterator[ClipRecord]:
    """Run jobs one after another, the windows of each on all actors.

    Args:
        resources: what one actor reserves, as keyword arguments of ``ray.remote``.

    Returns:
        Their records as they are finished.

    Raises:
        UsageError: where the network cannot be loaded, or an option does not fit it.
    """
    from video_cam.batch.runner import ClipRunner

    remote = ray.remote(max_restarts=2, max_task_retries=2, **resources)(WindowActor)
    actors = [remote.remote(config) for _ in range(num_actors)]
    fitting, messages = _answer(ray, actors[0].start.remote())
    for level, message in messages:
        getattr(reporter, level)(message)
    runner = ClipRunner(fitting, ActorExplainer(ray, actors))
    for job in jobs:
        try:
            yield runner.run(job, reporter.progress, wait_seconds=-1)
        except ray.exceptions.RayActorError as error:
            yield failed_record(job, f"its actors were lost: {error}")


class ActorExplainer:
    """Explains clips with networks that are on actors; a ``ClipExplainer``."""

    def __init__(self, ray: Any, actors: Sequence[Any]) -> None:
        """Bind the actors, each a handle of a WindowActor."""
        self._ray, self._actors = ray, list(actors)

    def explain(self, clip: Clip, config: ExplainConfig, progress: Progress) -> Explanation:
        """The maps of a clip, with the checks that ``config`` asks for."""
        from video_cam.explanation.window_source import OtherFramesDecoded

        began = time.perf_counter()
        try:
            explanation = self._explain(clip, config, progress, began)
        except OtherFramesDecoded:
            clip = clip.decoded()
            explanation = self._explain(clip, config, progress, began)
        return self._on_one("verify", clip, explanation, config)

    def write_gradients(
        self,
        clip: Clip,
        explanation: Explanation,
        config: ExplainConfig,
        folder: Path,
        progress: Progress,
    ) -> None:
        """Write the pictures of ``--guided`` and ``--smoothgrad`` to sub-folders of ``folder``."""
        write_files(self._on_one("gradients", clip, explanation, config), folder)

    def fingerprint_parts(self, config: ExplainConfig) -> dict[str, Any]:
        """Everything of the network and ``config`` that changes a result, for JSON."""
        parts: dict[str, Any] = self._on_one("fingerprint_parts", config)
        return parts

    def _explain(
        self, clip: Clip, config: ExplainConfig, progress: Progress, began: float
    ) -> Explanation:
        plan: ClipPlan = self._on_one("plan", clip, config)
        return explain_plan(plan, config, partial(self._run_windows, plan, config, progress), began)

    def _run_windows(
        self,
        plan: ClipPlan,
        config: ExplainConfig,
        progress: Progress,
        indices: Sequence[int],
        class_ids: Sequence[int] | None,
    ) -> Iterator[WindowResult]:
        """The results of windows as they are finished, from all actors."""
        parts = split_windows(indices, len(self._actors) * PARTS_EACH, plan.batch_size)
        with progress("explain", len(indices)) as step:
            waiting = {
                actor.run.remote(plan, config, part, class_ids)
                for part, actor in zip(parts, cycle(self._actors), strict=False)
            }
            while waiting:
                [ready], rest = self._ray.wait(list(waiting))
                waiting = set(rest)
                results = _answer(self._ray, ready)
                yield from results
                step(len(results))

    def _on_one(self, method: str, *arguments: Any) -> Any:
        return _answer(self._ray, getattr(self._actors[0], method).remote(*arguments))


class WindowActor:
    """An actor with the network. Its methods return an error of the clip instead of raising it."""

    def __init__(self, config: RunConfig) -> None:
        """Remember the settings; the first call loads the network."""
        from video_cam.utils.allocator import keep_freed_memory

        keep_freed_memory()
        self._config = config
        self._reporter = CollectingReporter()

    def start(self) -> Any:
        """Load the network; the settings that fit it, and (level, text) messages."""
        return _or_error(lambda: (self._loaded[1], self._reporter.take_messages()))

    def plan(self, clip: Clip, config: ExplainConfig) -> Any:
        """The ClipPlan of a clip."""
        from video_cam.explanation.clip_plan import plan_clip

        return _or_error(lambda: plan_clip(clip, self._model, config))

    def run(
        self,
        plan: ClipPlan,
        config: ExplainConfig,
        indices: Sequence[int],
        class_ids: Sequence[int] | None,
    ) -> Any:
        """The WindowResults of some windows."""
        from video_cam.explanation.window_runner import WindowRunner

        return _or_error(lambda: WindowRunner(plan, self._model, config).run(indices, class_ids))

    def verify(self, clip: Clip, explanation: Explanation, config: ExplainConfig) -> Any:
        """The explanation with the checks that ``config`` asks for."""
        from video_cam.pipeline import verify

        return _or_error(lambda: verify(clip, self._model, explanation, config))

    def gradients(self, clip: Clip, explanation: Explanation, config: ExplainConfig) -> Any:
        """Pictures of guided backpropagation and SmoothGrad: relative file name -> PNG bytes."""
        return _or_error(lambda: gradient_files(self._loaded[0], clip, explanation, config))

    def fingerprint_parts(self, config: ExplainConfig) -> Any:
        """Everything of the network and ``config`` that changes a result."""
        return _or_error(lambda: self._loaded[0].fingerprint_parts(config))

    @cached_property
    def _loaded(self) -> tuple[NetworkExplainer, RunConfig]:
        from video_cam.batch.network import load_explainer

        return load_explainer(self._config, self._reporter)

    @property
    def _model(self) -> Classifier:
        return self._loaded[0].model


def _or_error(run: Callable[[], Any]) -> Any:
    from video_cam.explanation.window_source import OtherFramesDecoded

    try:
        return run()
    except (VideoCamError, OtherFramesDecoded) as error:
        return error


def _answer(ray: Any, reference: Any) -> Any:
    """What an actor returned; an error that it returned is raised."""
    answer = ray.get(reference)
    if isinstance(answer, Exception):
        raise answer
    return answer
