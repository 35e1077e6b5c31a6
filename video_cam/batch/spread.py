"""The windows of one long clip on many actors, each of which sends back kilobytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from video_cam.batch.jobs import ClipRecord, Job, failed_record
from video_cam.batch.run_config import RunConfig
from video_cam.config import ExplainConfig
from video_cam.explanation.window_result import Deal, Findings, Part, split
from video_cam.utils.reporter import Reporter, SilentReporter

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
    """
    from video_cam.batch.network import NetworkExplainer, load_explainer
    from video_cam.batch.runner import ClipRunner
    from video_cam.explanation.explainer import explain_with
    from video_cam.explanation.explanation import Explanation
    from video_cam.pipeline import verify
    from video_cam.utils.progress import Progress
    from video_cam.video.clip import Clip

    remote = ray.remote(max_restarts=2, max_task_retries=2, **resources)(WindowActor)
    actors = [remote.remote(config) for _ in range(num_actors)]

    def dispatch(explain: ExplainConfig) -> Deal:
        def run_parts(whole: Part, batch_size: int) -> Iterator[Findings]:
            parts = split(whole, num_actors * PARTS_EACH, batch_size)
            waiting = {
                actors[number % num_actors].explain.remote(part, explain)
                for number, part in enumerate(parts)
            }
            while waiting:
                [ready], rest = ray.wait(list(waiting))
                waiting = set(rest)
                yield _answer(ray, ready)

        return run_parts

    class ActorExplainer(NetworkExplainer):
        """Explains clips on the actors; its own network plans windows and runs the checks."""

        def explain(self, clip: Clip, config: ExplainConfig, progress: Progress) -> Explanation:
            deal = dispatch(config)
            explanation = explain_with(clip.path, self.model, config, progress, deal)
            return verify(clip, self.model, explanation, config, progress)

    on_cpu = replace(config, model=replace(config.model, use_cuda=False, device="cpu"))
    local, config = load_explainer(on_cpu, reporter)
    runner = ClipRunner(config, ActorExplainer(local.model))
    for job in jobs:
        try:
            yield runner.run(job, reporter.progress, wait_seconds=-1)
        except ray.exceptions.RayActorError as error:
            yield failed_record(job, f"its actors were lost: {error}")


class WindowActor:
    """An actor with the network."""

    def __init__(self, config: RunConfig) -> None:
        from video_cam.batch.network import load_explainer
        from video_cam.utils.allocator import keep_freed_memory

        keep_freed_memory()
        explainer, self._config = load_explainer(config, SilentReporter())
        self._model = explainer.model

    def explain(self, part: Part, config: ExplainConfig) -> Findings | Exception:
        """The results of some windows; an error of the clip is returned, not raised."""
        from video_cam.errors import VideoCamError
        from video_cam.explanation.explainer import OtherFramesDecoded, explain_part

        try:
            options = replace(self._config.explain, class_ids=config.class_ids)
            return explain_part(part, self._model, options)
        except (VideoCamError, OtherFramesDecoded) as error:
            return error


def _answer(ray: Any, ready: Any) -> Findings:
    answer: Findings | Exception = ray.get(ready)
    if isinstance(answer, Exception):
        raise answer
    return answer
