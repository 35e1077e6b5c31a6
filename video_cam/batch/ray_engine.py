"""Clips on a Ray cluster: on all GPUs of a machine, or on several machines.

Here is what the cluster has room for; ``ray_stages`` and ``spread`` run the clips.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from video_cam.batch.jobs import ClipRecord, Job
from video_cam.batch.ray_stages import Pool, run_in_stages, run_whole
from video_cam.batch.run_config import RunConfig
from video_cam.errors import UsageError
from video_cam.utils.reporter import Reporter

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
    networks = _network_actors(ray, config, reporter)
    if config.ray.spread:
        # It imports PyTorch, which the actors of clips leave to their worker processes.
        from video_cam.batch.spread import run_spread

        reporter.info(f"each clip on {networks.most} actors of {_shown(networks.resources)}")
        yield from run_spread(ray, jobs, config, reporter, networks.most, networks.resources)
        return
    count = len(jobs)
    with_network = _counted(networks.limited(count))
    if "num_gpus" not in networks.resources:
        reporter.info(f"{count} clips on {with_network}")
        yield from run_whole(ray, jobs, config, reporter, networks)
        return
    others = _processor_actors(ray, config)
    reporter.info(
        f"{count} clips: the network on {with_network}; {_counted(others.limited(count))} read "
        "them, and as many draw them"
    )
    yield from run_in_stages(ray, jobs, config, reporter, networks, others)


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
        # "local": also where a cluster runs on this machine, which is joined on request alone.
        ray.init(address=address or "local", **options)
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


def _network_actors(ray: Any, config: RunConfig, reporter: Reporter) -> Pool:
    """The actors with the network: as many as are asked for, or as the cluster has room for.

    Raises:
        UsageError: where the cluster has room for none, and no number was asked for.
    """
    resources = _actor_resources(config)
    [(kind, each)] = resources.items()
    in_all = ray.cluster_resources().get({"num_gpus": "GPU", "num_cpus": "CPU"}[kind], 0)
    room = int(in_all // each)
    if config.ray.actors is not None:
        if room < config.ray.actors[0]:  # a cluster may start machines when they are asked for
            reporter.warning(
                f"--actors {config.ray.actors[0]}: the cluster has room for {room} now; waiting "
                "for more machines"
            )
        return Pool(*config.ray.actors, resources)
    if not room:
        remedy = "leave --use-cuda out" if kind == "num_gpus" else "lower --actor-cpus"
        raise UsageError(
            f"an actor takes {_shown(resources)}, and the cluster has {in_all:g} in all: {remedy}"
        )
    return Pool(1 if kind == "num_gpus" else room, room, resources)


def _processor_actors(ray: Any, config: RunConfig) -> Pool:
    """The actors that read clips, and as many that draw them.

    At least one of each has room, also where the cluster has few cores.
    """
    cores = ray.cluster_resources().get("CPU", 0)
    each = min(config.ray.actor_cpus, cores // 2 or cores / 2)
    room = max(int(cores // each) - 1, 1)
    fewest, most = config.ray.cpu_actors or (1, room)
    return Pool(fewest, most, {"num_cpus": each})


def _shown(resources: dict[str, float]) -> str:
    [(kind, each)] = resources.items()
    return f"{each:g} {'GPU' if kind == 'num_gpus' else 'CPU core'}{'s' * (each != 1)}"


def _counted(pool: Pool) -> str:
    """ "2 actors of 1 GPU", "1 to 4 actors of 4 CPU cores"."""
    count = str(pool.most) if pool.fewest == pool.most else f"{pool.fewest} to {pool.most}"
    return f"{count} actor{'s' * (pool.most != 1)} of {_shown(pool.resources)}"
