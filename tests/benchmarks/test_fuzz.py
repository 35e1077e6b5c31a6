"""The fuzzer finds planted faults, makes the same files again, and tries every parser."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.fuzz.__main__ import EXIT_DONE, EXIT_FAULTS, EXIT_USAGE, main, table
from benchmarks.fuzz.fuzzer import Fault, Fuzzer, Outcome
from benchmarks.fuzz.structure_damage import damaged_json
from benchmarks.fuzz.targets import TARGETS
from tests.support.fuzz_targets import SEED


@pytest.fixture(scope="module")
def planted() -> Iterator[Fuzzer]:
    with Fuzzer("tests.support.fuzz_targets", seconds_per_file=2) as fuzzer:
        yield fuzzer


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("_traceback", "KeyError: 'planted'"),
        ("_crash", "the process ended with SIGABRT"),
        ("_hang", "hangs: not read within 2 s"),
        ("_memory", "MemoryError:"),
        ("_many_lines", "UsageError whose message is not one line: a line and another"),
    ],
)
def test_a_planted_fault_is_found(name: str, description: str, planted: Fuzzer) -> None:
    outcome = planted.run(name, seed=5, seconds=0)
    assert outcome.faults == [Fault(name, 5, description)]
    again = f"again: python -m benchmarks.fuzz {name} --seed 5 --seconds 0"
    assert str(outcome.faults[0]).endswith(again)


def test_a_parser_without_faults_has_none(planted: Fuzzer) -> None:
    outcome = planted.run("_correct", seed=0, seconds=0.2)
    assert outcome.refused > 5 and not outcome.faults


def test_a_seed_makes_the_same_file_again(tmp_path: Path) -> None:
    for name in ("labels", "lists", "results"):
        folder = tmp_path / name
        folder.mkdir()
        TARGETS[name].write_seeds(folder)
        seeds = sorted(folder.iterdir())
        one, again, other = (TARGETS[name].input(seeds, random.Random(i)) for i in (1, 1, 2))
        assert one == again != other


def test_structure_is_damaged_in_files_that_are_well_formed() -> None:
    rng, odd = random.Random(0), set()
    for _ in range(200):
        text = damaged_json(SEED.encode(), rng).decode()
        odd.add(text)
        if "[[[[" not in text:  # too deep to be read
            json.loads(text)
    assert len(odd) > 50 and any("[[[[" in text for text in odd)
    lines = damaged_json(b'{"a": 1}\n{"b": 2}\n', random.Random(1)).split(b"\n")
    assert len(lines) == 2


def test_every_parser_is_tried(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--seconds", "2", "--seed", "1"])
    said = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in said[-len(TARGETS) :]}
    assert set(rows) == set(TARGETS)
    assert all(int(counts[0]) > 0 for counts in rows.values())
    assert status == EXIT_DONE and all(counts[3] == "0" for counts in rows.values()), said


def test_faults_are_printed_and_change_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome(read=3, faults=[Fault("labels", 7, "KeyError: 1")])
    monkeypatch.setattr(Fuzzer, "run", lambda *_: outcome)
    assert main(["labels"]) == EXIT_FAULTS
    assert str(outcome.faults[0]) in capsys.readouterr().out


def test_an_unknown_parser_is_an_error_of_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label"]) == EXIT_USAGE
    assert capsys.readouterr().err == "error: unknown parser 'label': did you mean labels?\n"


def test_the_table() -> None:
    outcome = Outcome(read=3, refused=4, faults=[Fault("a", 0, "x")])
    assert table({"a": outcome}).splitlines()[1].split() == ["a", "8", "3", "4", "1"]
