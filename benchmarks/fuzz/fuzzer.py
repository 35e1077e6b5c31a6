"""Give damaged files to a process that reads them, and collect what it must not do."""

from __future__ import annotations

import importlib
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.fuzz.target import Target

TARGETS_MODULE = "benchmarks.fuzz.targets"
SECONDS_PER_FILE = 20


@dataclass(frozen=True)
class Fault:
    """What a parser did with a damaged file.

    Attributes:
        target: name of the parser.
        seed: makes the file again.
        description: the exception, or how the process ended.
    """

    target: str
    seed: int
    description: str

    def __str__(self) -> str:
        again = f"python -m benchmarks.fuzz {self.target} --seed {self.seed} --seconds 0"
        return f"{self.target}: {self.description}\n    again: {again}"


@dataclass
class Outcome:
    """What became of the files for one target: how many were read, and refused; the faults."""

    read: int = 0
    refused: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """The number of files."""
        return self.read + self.refused + len(self.faults)


class Fuzzer:
    """Fuzzes targets in a child process, which is started again when it ends.

        with Fuzzer() as fuzzer:
            outcome = fuzzer.run("labels", seed=0, seconds=10)

    Args:
        targets_module: a module with TARGETS, name -> Target.
        seconds_per_file: after which a file counts as a hang.
    """

    def __init__(
        self, targets_module: str = TARGETS_MODULE, seconds_per_file: int = SECONDS_PER_FILE
    ) -> None:
        self._module, self._limit = targets_module, seconds_per_file
        self.targets: dict[str, Target] = importlib.import_module(targets_module).TARGETS
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Fuzzer:
        self._files = TemporaryDirectory()
        return self

    def __exit__(self, *_: object) -> None:
        self._end_child()
        self._files.cleanup()

    def run(self, name: str, seed: int, seconds: float) -> Outcome:
        """Give damaged files to a target.

        Args:
            name: of the target.
            seed: of the first file; the next has the next number.
            seconds: how long; one file is tried in any case. Starting the process does not count.
        """
        folder = Path(self._files.name) / name
        (folder / "seeds").mkdir(parents=True)
        target = self.targets[name]
        target.write_seeds(folder / "seeds")
        seeds = sorted(path for path in (folder / "seeds").iterdir() if path.is_file())
        self._check_seeds(name, seeds)
        outcome, spent = Outcome(), 0.0
        while not outcome.tried or spent < seconds:
            child = self._running_child()  # may have to be started, which takes seconds
            began = time.monotonic()
            file_name, content = target.input(seeds, random.Random(f"{name} {seed}"))
            path = folder / "input" / file_name
            path.parent.mkdir()
            path.write_bytes(content)
            self._count(outcome, Fault(name, seed, self._answer(child, name, path)))
            shutil.rmtree(path.parent)
            spent += time.monotonic() - began
            seed += 1
        return outcome

    def _check_seeds(self, name: str, seeds: list[Path]) -> None:
        """Read the undamaged files: what refuses those would refuse everything."""
        for seed in seeds:
            answer = self._answer(self._running_child(), name, seed)
            if answer != "read":
                raise RuntimeError(f"{name}: the undamaged file {seed.name} is not read: {answer}")

    def _count(self, outcome: Outcome, result: Fault) -> None:
        if result.description == "read":
            outcome.read += 1
        elif result.description == "refused":
            outcome.refused += 1
        else:
            outcome.faults.append(result)

    def _answer(self, child: subprocess.Popen[str], name: str, path: Path) -> str:
        """ "read", "refused", or what the fault is."""
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(f"{name} {path}\n")
        child.stdin.flush()
        line = child.stdout.readline()
        if line:
            return line.strip().removeprefix("fault ")
        status = child.wait()
        self._child = None
        if status == -signal.SIGALRM:
            return f"hangs: not read within {self._limit} s"
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        return f"the process ended with {how}"

    def _running_child(self) -> subprocess.Popen[str]:
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.fuzz.child", self._module, str(self._limit)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                cwd=Path(__file__).parents[2],
            )
            assert self._child.stdout is not None
            if self._child.stdout.readline() != "ready\n":
                raise RuntimeError("the process that reads files cannot be started")
        return self._child

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None
