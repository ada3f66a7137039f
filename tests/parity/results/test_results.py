"""Results survive kills, torn lines, full disks, other schema versions and company."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_records import bare

from parity.results.packages import environment, stack_name, versions
from parity.results.records import SCHEMA
from parity.results.store import Results, ResultsError, plain, read_all

WRITER = """
import sys
from parity.results.store import Results
results, name = Results(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
for i in range(int(sys.argv[3])):
    run = {"study": "digits", "arm": "coupled", "implementation": "numpynet", "seed": i, "status": "ok"}
    results.append("runs", f"{name}{i}", {**run, "message": name * 2000})
    print(i, flush=True)
"""


def writer(folder: Path, name: str, records: int, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), name, str(records)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def lines(results: Results, kind: str = "runs") -> list[bytes]:
    return (results.folder / f"{kind}.jsonl").read_bytes().split(b"\n")


def test_what_is_appended_is_read_and_the_last_record_of_a_key_counts(tmp_path: Path) -> None:
    results = Results(tmp_path / "stack")
    assert results.read("runs") == []
    assert results.kinds() == []
    results.append("runs", "a", bare("runs", accuracy=0.5))
    results.append("runs", "b", bare("runs", accuracy=0.6))
    results.append("runs", "a", bare("runs", accuracy=0.7))
    a, b = results.read("runs")
    assert (a["schema"], a["key"], a["accuracy"]) == (SCHEMA, "a", 0.7)
    assert (b["schema"], b["key"], b["accuracy"]) == (SCHEMA, "b", 0.6)
    assert Results(results.folder).done("runs") == {"a", "b"}
    assert results.kinds() == ["runs"]


def test_append_keeps_its_own_fields_to_itself(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no key but 'a'"):
        Results(tmp_path).append("runs", "a", bare("runs", key="b"))


@pytest.mark.filterwarnings("ignore:.* is torn and was skipped")
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this platform")
def test_killed_at_any_moment_nothing_is_lost_doubled_or_torn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    results = Results(tmp_path / "stack")
    promised: set[str] = set()
    for attempt in range(5):
        process = writer(results.folder, f"{attempt}-", 100_000)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        promised |= {f"{attempt}-{number}" for number in process.communicate()[0].split("\n")[:-1]}
    results.append("runs", "last", bare("runs"))
    whole = [json.loads(line) for line in lines(results)[:-1] if line.endswith(b"}")]
    keys = [record["key"] for record in whole]
    assert len(keys) == len(set(keys))
    assert promised | {"last"} <= results.done("runs") == set(keys)
    assert len(keys) - len(promised) <= 6  # at most one record a kill was written but not yet reported


def test_two_writers_leave_whole_lines_only(tmp_path: Path) -> None:
    results = Results(tmp_path / "stack")
    processes = [writer(results.folder, name, 50) for name in "ab"]
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0]
    assert len([json.loads(line) for line in lines(results)[:-1]]) == 100
    assert results.done("runs") == {f"{name}{i}" for name in "ab" for i in range(50)}


@pytest.mark.parametrize("left", [1, 10, 40])
def test_a_torn_last_line_is_skipped_and_the_next_record_starts_afresh(tmp_path: Path, left: int) -> None:
    results = Results(tmp_path)
    results.append("runs", "a", bare("runs", accuracy=0.5))
    results.append("runs", "torn", bare("runs", accuracy=0.6))
    first, second, _ = lines(results)
    (tmp_path / "runs.jsonl").write_bytes(first + b"\n" + second[:left])
    with pytest.warns(UserWarning, match="line 2 is torn"):
        assert results.done("runs") == {"a"}
    results.append("runs", "c", bare("runs", accuracy=0.7))
    with pytest.warns(UserWarning, match="line 2 is torn"):
        assert results.done("runs") == {"a", "c"}


def test_a_record_that_lacks_its_line_end_only_is_kept(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.append("runs", "a", bare("runs"))
    (tmp_path / "runs.jsonl").write_bytes(lines(results)[0])
    results.append("runs", "b", bare("runs"))
    assert results.done("runs") == {"a", "b"}


def test_another_schema_version_is_refused_with_advice(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.append("runs", "a", bare("runs"))
    (tmp_path / "runs.jsonl").write_text('{"schema": 0, "key": "a"}\n')
    with pytest.raises(ResultsError, match="has schema version 0, this version of parity reads and writes 1"):
        results.read("runs")
    (tmp_path / "environment.json").write_text('{"schema": 99, "stack": "old"}')
    with pytest.raises(ResultsError, match="schema version 99"):
        Results(tmp_path)


def test_a_full_disk_is_reported_and_leaves_earlier_records_and_nothing_else(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    results = Results(tmp_path)
    results.append("runs", "first", bare("runs", accuracy=0.5))
    before = lines(results)

    def allow_5000_bytes() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    process = writer(tmp_path, "long", 10, preexec_fn=allow_5000_bytes, stderr=subprocess.PIPE)
    message = process.communicate()[1]
    assert process.returncode == 1
    assert f"ResultsError: cannot write to {tmp_path / 'runs.jsonl'}" in message
    assert "Earlier records are intact" in message
    assert lines(results) == before
    results.append("runs", "next", bare("runs"))
    assert results.done("runs") == {"first", "next"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this platform")
def test_a_device_that_is_full_says_so(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").symlink_to("/dev/full")
    with pytest.raises(ResultsError, match="No space left on device"):
        Results(tmp_path).append("runs", "a", bare("runs"))


def test_environment_is_written_whole_and_names_the_stack(tmp_path: Path) -> None:
    results = Results(tmp_path / "anything")
    assert results.stack == "anything"
    results.write_environment(environment())
    assert results.stack == stack_name()
    written = results.environment()
    assert written is not None
    assert written["schema"] == SCHEMA
    assert [path.name for path in results.folder.iterdir()] == ["environment.json"]
    with pytest.raises(ResultsError, match=r"holds results of numpy.*, not of other"):
        results.write_environment({"stack": "other"})


def test_an_environment_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "environment.json").write_text("{")
    with pytest.raises(ResultsError, match="is not JSON"):
        Results(tmp_path)


def test_environment_is_found_without_importing_a_framework() -> None:
    code = (
        "import sys; from parity.results.packages import environment; print(environment()['stack']);"
        "assert not {'torch', 'tensorflow', 'keras'} & set(sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.strip() == stack_name()


def test_stack_names_the_versions_and_leaves_out_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stack_name().startswith(f"numpy{np.__version__}")
    monkeypatch.setattr("parity.results.packages.versions", lambda: {"numpy": "2.4.6", "tensorflow": "2.21.0"})
    python = ".".join(platform.python_version_tuple()[:2])
    assert stack_name() == f"numpy2.4.6-tf2.21.0-py{python}"


def test_versions_carry_no_build_label() -> None:
    assert not [version for version in versions().values() if "+" in version]


def test_many_folders_merge_by_stack_and_key(tmp_path: Path) -> None:
    records = [("1", "old", "a", 0.1), ("2", "new", "a", 0.2), ("3", "new", "a", 0.3), ("3", "new", "b", 0.4)]
    for folder, stack, key, accuracy in records:
        results = Results(tmp_path / folder)
        results.write_environment({"stack": stack})
        results.append("runs", key, bare("runs", accuracy=accuracy))
    merged = read_all(sorted(tmp_path.iterdir()), "runs")
    assert [(stack, record["key"], record["accuracy"]) for stack, record in merged] == [
        ("old", "a", 0.1),
        ("new", "a", 0.3),
        ("new", "b", 0.4),
    ]


def test_records_are_strict_json_whatever_they_hold(tmp_path: Path) -> None:
    @dataclass
    class Point:
        x: float

    record: dict[Any, Any] = {
        "losses": np.array([1.5, np.nan, np.inf], np.float32),
        "number": np.int64(3),
        "wide": np.longdouble(0.5),
        "point": Point(np.nan),
        "folder": tmp_path,
        "nested": ({"flag": np.bool_(True)},),
        2: None,
    }
    assert plain(record) == {
        "losses": [1.5, None, None],
        "number": 3,
        "wide": 0.5,
        "point": {"x": None},
        "folder": str(tmp_path),
        "nested": [{"flag": True}],
        "2": None,
    }
    study = bare("studies", preregistration=record)
    Results(tmp_path).append("studies", "a", study)
    assert b"NaN" not in lines(Results(tmp_path), "studies")[0]
