"""Clips on the actors of a Ray cluster: past one machine, or all the GPUs of one.

Ray Data deals the clips out, holds back what nobody has room for, and replaces actors whose machine
is lost. An actor does its clips as a local run does: in a worker that may hang or die.
"""

from __future__ import annotations

import argparse
import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from video_cam.batch.jobs import Job, Row, failed_row
from video_cam.batch.local import LocalRun
from video_cam.batch.spread import run_spread
from video_cam.cli.console import Console
from video_cam.errors import UsageError

ROOT = Path(__file__).parent.parent.parent


def run_ray(jobs: Sequence[Job], parsed: argparse.Namespace, console: Console) -> Iterator[Row]:
    """The rows of all jobs as they are done, by as many actors as the cluster has room for."""
    ray = _import_ray()
    started = not ray.is_initialized()
    if started:
        _connect(ray, parsed)
    try:
        yield from _rows(ray, jobs, parsed, console)
    finally:
        if started:
            ray.shutdown()


def _rows(
    ray: Any, jobs: Sequence[Job], parsed: argparse.Namespace, console: Console
) -> Iterator[Row]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # the command has its own
    context.max_errored_blocks = -1  # ten thousand clips do not stop for one
    needs = _resources(parsed)
    room = _room(ray, needs)
    if parsed.spread:
        console.say(f"each clip on {room} actors of {_told(needs)}")
        yield from run_spread(ray, jobs, parsed, console, room, needs)
        return
    actors = min(len(jobs), room)
    console.say(f"{len(jobs)} clips on {actors} actors of {_told(needs)}")
    left = dict(enumerate(jobs))
    clips = ray.data.from_items(
        [{"number": number, "job": pickle.dumps(job)} for number, job in left.items()],
        override_num_blocks=len(jobs),  # a clip is what is dealt out, and tried again
    )
    done = clips.map(
        ClipActor,
        fn_constructor_args=(parsed,),
        compute=ray.data.ActorPoolStrategy(size=actors),
        **needs,
    )
    for item in done.iter_rows():
        if item["messages"]:
            for kind, message in pickle.loads(item["messages"]):
                (console.warn if kind == "warn" else console.say)(message)
        if item["error"]:
            raise pickle.loads(item["error"])
        left.pop(item["number"])
        yield pickle.loads(item["row"])
    for job in left.values():
        yield failed_row(job, "no actor could finish it")


class ClipActor:
    """An actor with a worker, and in the worker the network. Takes a job, gives its row."""

    def __init__(self, parsed: argparse.Namespace) -> None:
        self._console = _Notes()
        self._run = LocalRun(parsed, self._console)

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """Bytes all through, because Arrow's text is no place for a file name of any bytes."""
        row, error = b"", b""
        try:
            row = pickle.dumps(self._run.finish(pickle.loads(item["job"])))
        except UsageError as wrong:
            error = pickle.dumps(wrong)
        messages = pickle.dumps(self._console.taken())
        return {"number": item["number"], "row": row, "error": error, "messages": messages}


class _Notes(Console):
    """Keeps what is said until it is taken along with a row."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self._said: list[tuple[str, str]] = []

    def say(self, message: str) -> None:
        self._said.append(("say", message))

    def warn(self, message: str) -> None:
        self._said.append(("warn", message))

    def taken(self) -> list[tuple[str, str]]:
        said, self._said = self._said, []
        return said


def _import_ray() -> Any:
    # Ray's own lines would stand between those of the command.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UsageError("--engine ray needs Ray: pip install -r requirements-ray.txt") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


def _connect(ray: Any, parsed: argparse.Namespace) -> None:
    # Actors find the code where this process did: installed, or in a folder that all machines see.
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    options: dict[str, Any] = {
        "runtime_env": {"env_vars": {"PYTHONPATH": paths}},
        "logging_level": logging.ERROR,
        "log_to_driver": parsed.log_level == "debug",
    }
    if parsed.ray_address is None:
        options["include_dashboard"] = False
    try:
        ray.init(address=parsed.ray_address, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"no Ray cluster answers at {parsed.ray_address!r}: give auto, HOST:6379 or ray://..., "
            "or leave --ray-address out for this machine"
        ) from error


def _resources(parsed: argparse.Namespace) -> dict[str, float]:
    """What one actor takes of a machine."""
    wants_gpu = parsed.use_cuda or (parsed.device or "").startswith("cuda")
    return {"num_gpus": 1} if wants_gpu else {"num_cpus": parsed.actor_cpus}


def _room(ray: Any, needs: dict[str, float]) -> int:
    """How many actors the cluster takes now."""
    [(kind, each)] = needs.items()
    there = ray.cluster_resources().get({"num_gpus": "GPU", "num_cpus": "CPU"}[kind], 0)
    if there < each:
        remedy = "leave --use-cuda out" if kind == "num_gpus" else "lower --actor-cpus"
        raise UsageError(
            f"an actor takes {_told(needs)}, and the cluster has {there:g} in all: {remedy}"
        )
    return int(there // each)


def _told(needs: dict[str, float]) -> str:
    [(kind, each)] = needs.items()
    return f"{each:g} {'GPU' if kind == 'num_gpus' else 'CPU core'}{'s' * (each != 1)}"
