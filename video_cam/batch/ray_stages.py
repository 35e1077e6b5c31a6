"""Ray Data runs clips on pools of actors: each clip as a whole, or in three stages.

Where the network is on a GPU, one GPU is fed by many cores: other actors, which have no network,
read the clips before and draw them afterwards. Ray Data limits how much waits between the stages.
Where a machine is lost, Ray runs its clips again from the stage that they were in, or from the one
whose result was lost.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from video_cam.batch.jobs import ClipRecord, Job, failed_record
from video_cam.batch.run_config import RunConfig
from video_cam.batch.supervision import SupervisedWorker
from video_cam.errors import VideoCamError
from video_cam.utils.reporter import CollectingReporter, Reporter

# For each actor: the one that it works on, and the next one, which is sent meanwhile.
TASKS_IN_FLIGHT = 2


@dataclass(frozen=True)
class Pool:
    """Actors of one kind.

    Attributes:
        fewest, most: Ray Data adds and removes actors between these bounds.
        resources: what one actor reserves, as keyword arguments of ``ray.remote``.
    """

    fewest: int
    most: int
    resources: dict[str, float]

    def limited(self, count: int) -> Pool:
        """The pool without actors that would have nothing to do, for ``count`` clips."""
        return Pool(min(self.fewest, count), min(self.most, count), self.resources)


def run_whole(
    ray: Any, jobs: Sequence[Job], config: RunConfig, reporter: Reporter, pool: Pool
) -> Iterator[ClipRecord]:
    """Run jobs on actors that explain and draw; their records as they are finished.

    Raises:
        UsageError: where the network cannot be loaded, or an option does not fit it.
    """
    return _records(ray, jobs, config, reporter, [(b"", pool)], set())


def run_in_stages(
    ray: Any,
    jobs: Sequence[Job],
    config: RunConfig,
    reporter: Reporter,
    networks: Pool,
    others: Pool,
) -> Iterator[ClipRecord]:
    """Run jobs in three stages.

    Args:
        networks: the actors that have the network.
        others: those that read clips, and as many that draw them.

    Returns:
        The jobs' records as they are finished.

    Raises:
        UsageError: where the network cannot be loaded, or an option does not fit it.
    """
    # The process of the task ends with it, and gives the GPU's memory back.
    find = ray.remote(max_calls=1, **networks.resources)(_find_facts)
    facts, messages, error = ray.get(find.remote(config))
    _report(reporter, messages)
    if error:
        raise pickle.loads(error)
    stages = [(facts, others), (b"", networks), (facts, others)]
    return _records(ray, jobs, config, reporter, stages, set(messages))


def _records(
    ray: Any,
    jobs: Sequence[Job],
    config: RunConfig,
    reporter: Reporter,
    stages: Sequence[tuple[bytes, Pool]],
    reported: set[tuple[str, str]],
) -> Iterator[ClipRecord]:
    unfinished = dict(enumerate(jobs))
    done = ray.data.from_items(
        [_item(number, job) for number, job in unfinished.items()],
        override_num_blocks=len(jobs),  # one clip is dispatched, and retried, at a time
    )
    for facts, pool in stages:
        limited = pool.limited(len(jobs))
        done = done.map(
            StageActor,
            fn_constructor_args=(config, facts),
            compute=ray.data.ActorPoolStrategy(
                min_size=limited.fewest,
                max_size=limited.most,
                max_tasks_in_flight_per_actor=TASKS_IN_FLIGHT,
            ),
            **limited.resources,
        )
    for item in done.iter_rows():
        messages = [one for one in pickle.loads(item["messages"]) if one not in reported]
        reported.update(messages)  # all actors say the same about the network
        _report(reporter, messages)
        if item["error"]:
            raise pickle.loads(item["error"])
        unfinished.pop(item["number"])
        yield pickle.loads(item["task"])
    for job in unfinished.values():
        yield failed_record(job, "no actor could finish it")


class StageActor:
    """An actor with a worker process that may hang or die, for whole clips or one stage of them."""

    def __init__(self, config: RunConfig, facts: bytes) -> None:
        """Remember the settings, as those of ``Worker``; the first clip starts the process."""
        self._config, self._facts = config, facts
        self._reporter = CollectingReporter()

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """Run one item of the dataset.

        Args:
            item: number (int); and pickled, as Arrow's strings cannot hold file names that are not
                UTF-8: task (a Job, a StagedJob, or the record of a clip that is finished), messages
                ((level, text) pairs), and error (a VideoCamError that ends the run, or empty).

        Returns:
            The item for the next stage, with a record in place of the task at the end.
        """
        task = pickle.loads(item["task"])
        if item["error"] or isinstance(task, ClipRecord):
            return item
        result = dict(item)
        try:
            result["task"] = pickle.dumps(self._worker.finish(task))
        except VideoCamError as wrong:
            result["error"] = pickle.dumps(wrong)
        messages = pickle.loads(item["messages"]) + self._reporter.take_messages()
        return result | {"messages": pickle.dumps(messages)}

    @cached_property
    def _worker(self) -> SupervisedWorker:
        return SupervisedWorker(self._config, self._reporter, self._facts)


def _item(number: int, job: Job) -> dict[str, Any]:
    """A job as the first stage takes it; see StageActor."""
    return {"number": number, "task": pickle.dumps(job), "messages": pickle.dumps([]), "error": b""}


def _find_facts(config: RunConfig) -> tuple[bytes, list[tuple[str, str]], bytes]:
    """Facts, messages, and the error that ends the run or nothing; on a machine of the cluster."""
    from video_cam.batch.stage_runners import find_facts

    try:
        facts, messages = find_facts(config)
    except VideoCamError as wrong:
        return b"", [], pickle.dumps(wrong)
    return pickle.dumps(facts), messages, b""


def _report(reporter: Reporter, messages: Sequence[tuple[str, str]]) -> None:
    for level, text in messages:
        getattr(reporter, level)(text)
