"""One long clip on many actors: each looks at some of its windows, and sends back kilobytes."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from video_cam.batch.jobs import Job, Row, failed_row
from video_cam.cli.console import Console
from video_cam.explanation.window_result import Findings, Part, split

PARTS_EACH = 4  # parts for an actor: more even work than one, and not much more decoding


def run_spread(
    ray: Any,
    jobs: Sequence[Job],
    parsed: argparse.Namespace,
    console: Console,
    actors: int,
    needs: dict[str, float],
) -> Iterator[Row]:
    """The rows of jobs that are done one after another, each by all actors.

    This process plans, puts the findings together and draws; it runs no network, though it has
    one, on the CPU, to know its layers.
    """
    from video_cam.batch.runner import ClipRunner

    remote = ray.remote(max_restarts=2, max_task_retries=2, **needs)(WindowActor)
    pool = [remote.remote(parsed) for _ in range(actors)]
    here = copy.copy(parsed)
    here.use_cuda, here.device = False, "cpu"

    def deal(whole: Part, batch_size: int) -> Iterator[Findings]:
        options = replace(runner.options, class_ids=current.class_ids or runner.options.class_ids)
        parts = split(whole, actors * PARTS_EACH, batch_size)
        waiting = {
            pool[number % actors].explain.remote(part, options) for number, part in enumerate(parts)
        }
        while waiting:
            [ready], rest = ray.wait(list(waiting))
            waiting = set(rest)
            yield _answer(ray, ready)

    runner = ClipRunner(here, console, deal)
    for current in jobs:
        try:
            yield runner.run(current, console.progress, wait_seconds=-1)
        except ray.exceptions.RayActorError as error:
            yield failed_row(current, f"its actors were lost: {error}")


class WindowActor:
    """An actor with the network."""

    def __init__(self, parsed: argparse.Namespace) -> None:
        from video_cam.cli.settings import load
        from video_cam.utils.allocator import keep_freed_memory

        keep_freed_memory()
        self._model = load(parsed, Console(quiet=True))

    def explain(self, part: Part, options: Any) -> Findings | Exception:
        """What is in these windows; what is wrong with the clip is an answer, no failure."""
        from video_cam.errors import VideoCamError
        from video_cam.explanation.explainer import OtherFramesDecoded, explain_part

        try:
            return explain_part(part, self._model, options)
        except (VideoCamError, OtherFramesDecoded) as error:
            return error


def _answer(ray: Any, ready: Any) -> Findings:
    answer: Findings | Exception = ray.get(ready)
    if isinstance(answer, Exception):
        raise answer
    return answer
