"""Run clips on a Ray cluster whose only working machine is lost; another one joins later.

    python -m tests.support.lost_machine FOLDER

FOLDER/clips holds the clips; FOLDER/states.json gets what became of each, by name.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace
from pathlib import Path

import ray
import ray.data
from ray.cluster_utils import Cluster

from video_cam.batch.inputs import find_clips
from video_cam.batch.jobs import plan_jobs
from video_cam.batch.ray_stages import Pool, run_in_stages
from video_cam.batch.report import RunReport
from video_cam.batch.run_config import ModelConfig, RunConfig
from video_cam.batch.store import open_store
from video_cam.config import ExplainConfig, RenderConfig
from video_cam.utils.reporter import SilentReporter

MACHINE = {"num_cpus": 2, "num_gpus": 1}  # no GPU in truth: the network runs on the processor


def main(folder: Path) -> None:
    """Run the clips and print what became of them."""
    # A machine that does not answer three times in a row counts as lost; by default after 15 s.
    often = {"health_check_period_ms": 500, "health_check_failure_threshold": 3}
    head = {"num_cpus": 0, "num_gpus": 0, "_system_config": often}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    machine = cluster.add_node(**MACHINE)
    paths = {"PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    ray.init(
        address=cluster.address,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": paths},
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    config = RunConfig(
        model=ModelConfig(name="motion3d"),
        explain=ExplainConfig(align="receptive-field", check=False),
        render=RenderConfig(max_keyframes=1),
        output_dir=str(folder / "out"),
    )
    store = open_store(config.output_dir)
    store.prepare()
    jobs = plan_jobs(find_clips([str(folder / "clips")]), store)
    config = replace(config, num_clips=len(jobs))
    pools = [Pool(1, 1, {"num_gpus": 1.0}), Pool(1, 1, {"num_cpus": 1.0})]
    states: dict[str, str] = {}
    with RunReport(jobs, store, SilentReporter()) as report:
        for record in run_in_stages(ray, jobs, config, SilentReporter(), *pools):
            report.add(record)
            if not states:
                cluster.remove_node(machine, allow_graceful=False)
                cluster.add_node(**MACHINE)
            states[Path(record.clip).name] = record.error or record.status
    (folder / "states.json").write_text(json.dumps(states))  # Ray prints while it ends
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
