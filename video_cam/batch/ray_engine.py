"""Clips on the actors of a Ray cluster: on all GPUs of a machine, or on several machines.

Ray Data dispatches clips to actors, limits how many are waiting, and replaces actors whose machine
is lost. An actor runs its clips as a local run does: in a worker process that may hang or die.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from video_cam.batch.jobs import ClipRecord, Job, failed_record
from video_cam.batch.local import SupervisedWorker
from video_cam.batch.run_config import RunConfig
from video_cam.errors import UsageError
from video_cam.utils.reporter import CollectingReporter, Reporter

ROOT = Path(__file__).parent.parent.parent


def run_ray(jobs: Sequence[Job], config: RunConfig, reporter: Reporter) -> Iterator[ClipRecord]:
    """Run jobs on as many actors as the cluster has room for.

    Returns:
        Their records as they are finished.

    Raises:
        UsageError: where Ray is not installed, no cluster answers, it is too small for one actor,
            or the network cannot be loaded.
    """
    ray = _import_ray()
    started = not ray.is_initialized()
    if started:
        _connect(ray, config)
    try:
        yield from _records(ray, jobs, config, reporter)
    finally:
        if started:
            ray.shutdown()


def _records(
    ray: Any, jobs: Sequence[Job], config: RunConfig, reporter: Reporter
) -> Iterator[ClipRecord]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # the command has its own
    context.max_errored_blocks = -1  # a clip that fails does not stop the others
    resources = _actor_resources(config)
    max_actors = _max_actors(ray, resources)
    if config.ray.spread:
        # It imports PyTorch, which the actors of clips leave to their worker processes.
        from video_cam.batch.spread import run_spread

        reporter.info(f"each clip on {max_actors} actors of {_shown(resources)}")
        yield from run_spread(ray, jobs, config, reporter, max_actors, resources)
        return
    num_actors = min(len(jobs), max_actors)
    reporter.info(f"{len(jobs)} clips on {num_actors} actors of {_shown(resources)}")
    unfinished = dict(enumerate(jobs))
    clips = ray.data.from_items(
        [{"number": number, "job": pickle.dumps(job)} for number, job in unfinished.items()],
        override_num_blocks=len(jobs),  # one clip is dispatched, and retried, at a time
    )
    done = clips.map(
        ClipActor,
        fn_constructor_args=(config,),
        compute=ray.data.ActorPoolStrategy(size=num_actors),
        **resources,
    )
    for item in done.iter_rows():
        if item["messages"]:
            for level, message in pickle.loads(item["messages"]):
                getattr(reporter, level)(message)
        if item["error"]:
            raise pickle.loads(item["error"])
        unfinished.pop(item["number"])
        yield pickle.loads(item["record"])
    for job in unfinished.values():
        yield failed_record(job, "no actor could finish it")


class ClipActor:
    """An actor with a worker process, which has the network. Takes a job, returns its record."""

    def __init__(self, config: RunConfig) -> None:
        self._reporter = CollectingReporter()
        self._worker = SupervisedWorker(config, self._reporter)

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """Run the job of one item of the dataset.

        Args:
            item: number (int) and job (a pickled Job).

        Returns:
            number; record, error (a UsageError) and messages ((level, text) pairs), pickled, as
            Arrow's strings cannot hold file names that are not UTF-8. record or error is empty.
        """
        record, error = b"", b""
        try:
            record = pickle.dumps(self._worker.finish(pickle.loads(item["job"])))
        except UsageError as wrong:
            error = pickle.dumps(wrong)
        messages = pickle.dumps(self._reporter.take_messages())
        return {"number": item["number"], "record": record, "error": error, "messages": messages}


def _import_ray() -> Any:
    # Ray's own log lines would appear between those of the command.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UsageError("--engine ray needs Ray: pip install -r requirements-ray.txt") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


def _connect(ray: Any, config: RunConfig) -> None:
    # Actors find the code where this process does: installed, or in a folder all machines share.
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    options: dict[str, Any] = {
        "runtime_env": {"env_vars": {"PYTHONPATH": paths}},
        "logging_level": logging.ERROR,
        "log_to_driver": config.log_level == "debug",
    }
    address = config.ray.address
    if address is None:
        options["include_dashboard"] = False
    try:
        ray.init(address=address, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"no Ray cluster answers at {address!r}: give auto, HOST:6379 or ray://..., or leave "
            "--ray-address out for this machine"
        ) from error


def _actor_resources(config: RunConfig) -> dict[str, float]:
    """What one actor reserves: {"num_gpus": 1}, or CPU cores under "num_cpus"."""
    model = config.model
    uses_gpu = model.use_cuda or (model.device or "").startswith("cuda")
    return {"num_gpus": 1} if uses_gpu else {"num_cpus": config.ray.actor_cpus}


def _max_actors(ray: Any, resources: dict[str, float]) -> int:
    """How many actors the cluster has room for; UsageError for none."""
    [(kind, each)] = resources.items()
    in_all = ray.cluster_resources().get({"num_gpus": "GPU", "num_cpus": "CPU"}[kind], 0)
    if in_all < each:
        remedy = "leave --use-cuda out" if kind == "num_gpus" else "lower --actor-cpus"
        raise UsageError(
            f"an actor takes {_shown(resources)}, and the cluster has {in_all:g} in all: {remedy}"
        )
    return int(in_all // each)


def _shown(resources: dict[str, float]) -> str:
    [(kind, each)] = resources.items()
    return f"{each:g} {'GPU' if kind == 'num_gpus' else 'CPU core'}{'s' * (each != 1)}"
