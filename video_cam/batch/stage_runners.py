"""The stages of a clip as worker processes run them; see ``stage``."""

from __future__ import annotations

import json
import pickle
import time
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from video_cam.batch.gradient_files import gradient_files, write_files
from video_cam.batch.jobs import DONE, SKIPPED, ClipRecord, Job
from video_cam.batch.run_config import RunConfig
from video_cam.batch.runner import ClipRunner, explain_config, or_failed
from video_cam.batch.stage import LoadedNetwork, StagedJob, Task
from video_cam.config import ExplainConfig
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.window_reader import NetworkInput
from video_cam.explanation.window_source import PreparedClip, prepare_clip
from video_cam.rendering.renderer import within_memory
from video_cam.utils.progress import Progress
from video_cam.utils.reporter import CollectingReporter, Reporter
from video_cam.video.clip import Clip

if TYPE_CHECKING:
    from video_cam.batch.network import NetworkExplainer


@dataclass(frozen=True)
class NetworkFacts:
    """What processes without the network have to know of it.

    Attributes:
        config: of the run, as the network can follow it.
        input: which frames it is given.
        fingerprint_parts: as ``ClipExplainer.fingerprint_parts`` returns them, in JSON's types.
    """

    config: RunConfig
    input: NetworkInput
    fingerprint_parts: dict[str, Any]


@dataclass(frozen=True)
class ExplainedClip:
    """What the network found in a clip.

    Attributes:
        explanation: with its checks.
        gradients: pictures of input gradients of the keyframes, as in ``gradient_files``.
    """

    explanation: Explanation
    gradients: dict[str, bytes]


class Runner(Protocol):
    """Runs jobs in a worker process."""

    def run(self, task: Any, progress: Progress, *, wait_seconds: float) -> StagedJob | ClipRecord:
        """Run a Job or StagedJob; an error becomes the record of a failed clip.

        Args:
            wait_seconds: how long to wait for another run that is processing the clip.

        Raises:
            ClipBusy: where another run is processing the clip all that time.
        """


def runner_of(
    config: RunConfig, facts: bytes, reporter: Reporter
) -> tuple[Runner, LoadedNetwork | None]:
    """What a worker process runs: a processor where it is given facts, else with the network.

    Returns:
        The runner, and what there is to say of the network that was loaded for it.

    Raises:
        UsageError: where the network cannot be loaded, or an option does not fit it.
    """
    if facts:
        known: NetworkFacts = pickle.loads(facts)
        return _ByTask(PrepareRunner(known), DrawRunner(known)), None
    from video_cam.batch.network import load_explainer

    explainer, config = load_explainer(config, reporter)
    found = LoadedNetwork(explainer.model.place, pickle.dumps(facts_of(config, explainer)))
    return _ByTask(ClipRunner(config, explainer), ExplainRunner(config, explainer)), found


class _ByTask:
    """One runner for jobs that nothing has been done for, another for those in a later stage."""

    def __init__(self, first: Runner, later: Runner) -> None:
        self._first, self._later = first, later

    def run(self, task: Task, progress: Progress, *, wait_seconds: float) -> StagedJob | ClipRecord:
        """Run a job; see Runner."""
        runner = self._first if isinstance(task, Job) else self._later
        return runner.run(task, progress, wait_seconds=wait_seconds)


def find_facts(config: RunConfig) -> tuple[NetworkFacts, list[tuple[str, str]]]:
    """Load the network of a run to know the facts.

    Returns:
        The facts, and the (level, text) messages about the network.

    Raises:
        UsageError: where the network cannot be loaded, or an option does not fit it.
    """
    from video_cam.batch.network import load_explainer

    reporter = CollectingReporter()
    explainer, config = load_explainer(config, reporter)
    return facts_of(config, explainer), reporter.take_messages()


def facts_of(config: RunConfig, explainer: NetworkExplainer) -> NetworkFacts:
    """The facts about a network that is loaded.

    Args:
        config: of the run, as the network can follow it.
        explainer: the network.
    """
    parts = explainer.fingerprint_parts(config.explain)
    # In JSON's types, any process can read them; the fingerprint stays the same.
    parts = json.loads(json.dumps(parts, default=str))
    return NetworkFacts(config, NetworkInput.of(explainer.model), parts)


class PrepareRunner:
    """Finds the clips that have to be explained, and reads their frames."""

    def __init__(self, facts: NetworkFacts) -> None:
        self._facts = facts
        self._runner = ClipRunner(facts.config, NetworkElsewhere(facts))

    def run(self, task: Job, progress: Progress, *, wait_seconds: float) -> StagedJob | ClipRecord:
        """Find the clip's results, or read its frames; see Runner."""
        return or_failed(task, partial(self._prepared, task, wait_seconds))

    def _prepared(self, job: Job, wait_seconds: float) -> StagedJob | ClipRecord:
        began = time.perf_counter()
        digest, record = self._runner.begin(job, wait_seconds=wait_seconds)
        if record is not None:
            return record
        config = self._facts.config
        clip = _opened(job, config)
        within_memory(clip, 1, config.render)  # what cannot be drawn is not explained
        prepared = prepare_clip(clip, self._facts.input, explain_config(config, job))
        return StagedJob(job, digest, time.perf_counter() - began, pickle.dumps(prepared))


class ExplainRunner:
    """Explains clips with the network of this process. It writes nothing, so it takes no locks."""

    def __init__(self, config: RunConfig, explainer: NetworkExplainer) -> None:
        self._config, self._explainer = config, explainer

    def run(self, task: StagedJob, progress: Progress, *, wait_seconds: float) -> Any:
        """Explain a clip; see Runner."""
        return or_failed(task.job, partial(self._explained, task, progress))

    def _explained(self, task: StagedJob, progress: Progress) -> StagedJob:
        began = time.perf_counter()
        config = explain_config(self._config, task.job)
        prepared: PreparedClip | None = pickle.loads(task.content)
        clip = _opened(task.job, self._config) if prepared is None else prepared.clip
        explanation = self._explainer.explain(clip, config, progress, prepared)
        render = self._config.render
        files = gradient_files(self._explainer, clip, explanation, config, progress, render)
        seconds = task.seconds + time.perf_counter() - began
        content = pickle.dumps(ExplainedClip(explanation, files))
        return replace(task, seconds=seconds, content=content)


class DrawRunner:
    """Draws clips that have been explained, and writes their results."""

    def __init__(self, facts: NetworkFacts) -> None:
        self._facts = facts

    def run(self, task: StagedJob, progress: Progress, *, wait_seconds: float) -> ClipRecord:
        """Draw a clip; see Runner.

        Its results are found finished where a process that drew it died before it could say so. The
        clip is done then, not skipped: they were not there when it was read.
        """
        network = NetworkElsewhere(self._facts, task.content)
        runner = ClipRunner(self._facts.config, network)
        record = runner.run(task.job, progress, wait_seconds=wait_seconds, digest=task.digest)
        return replace(record, status=DONE) if record.status == SKIPPED else record


class NetworkElsewhere:
    """A network that another process has, which explains the clip first; a ``ClipExplainer``."""

    def __init__(self, facts: NetworkFacts, explained: bytes = b"") -> None:
        """Take what is known of the network.

        Args:
            explained: a pickled ExplainedClip, of the only clip that will be asked for.
        """
        self._facts, self._pickled = facts, explained

    def explain(self, clip: Clip, config: ExplainConfig, progress: Progress) -> Explanation:
        """The explanation that the other process made."""
        return self._explained.explanation

    def write_gradients(
        self,
        clip: Clip,
        explanation: Explanation,
        config: ExplainConfig,
        folder: Path,
        progress: Progress,
    ) -> None:
        """Write the pictures that the other process made to sub-folders of ``folder``."""
        write_files(self._explained.gradients, folder)

    def fingerprint_parts(self, config: ExplainConfig) -> dict[str, Any]:
        """Everything of the network and ``config`` that changes a result, for JSON."""
        return self._facts.fingerprint_parts | {"options": config.as_json()}

    @cached_property
    def _explained(self) -> ExplainedClip:
        explained: ExplainedClip = pickle.loads(self._pickled)
        return explained


def _opened(job: Job, config: RunConfig) -> Clip:
    explain = config.explain
    return Clip.open(job.clip, config.limits, explain.bit_depth, explain.video_stream)
