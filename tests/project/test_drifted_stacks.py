"""The stacks that `nox -s drift` makes: the current one, with some of its packages in other versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import stacks


@pytest.mark.parametrize("other", [{"torch": "2.9.1"}, {"numpy": "2.2.6", "keras": "3.13.2"}])
def test_these_packages_are_other_versions_and_all_others_are_as_locked(other: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "other.txt"
    file.write_text(stacks.replaced([f"{name}=={version}" for name, version in other.items()], "current", "3.11"))
    locked, made = stacks.pins(stacks.lock("current", "3.11")), stacks.pins(file)
    assert {name: made[name] for name in made if made[name] != locked[name]} == other
    assert made.keys() == locked.keys()
    assert (stacks.pythons(str(file)), stacks.floats(str(file), "3.11")) == (["3.11"], False)


@pytest.mark.parametrize("requirement", ["torch", "torch>=2.9", "tensorflow==2.20.0", "left-pad==1.0"])
def test_what_is_no_package_of_the_lock_in_another_version_is_refused_with_examples(requirement: str) -> None:
    with pytest.raises(stacks.StackError, match=r"such as torch==2\.9\.1 or tensorflow-cpu==2\.20\.0"):
        stacks.replaced(["torch==2.9.1", requirement], "current", "3.11")


@pytest.mark.parametrize(
    ("plans", "ended"),
    [
        ([], False),
        ([{"command": "check", "ended": "now", "commit": "a"}], True),
        ([{"command": "check", "ended": "now", "commit": "b"}], False),
        (
            [{"command": "check", "ended": "now", "commit": "a"}, {"command": "check", "ended": None, "commit": "a"}],
            False,
        ),
        ([{"command": "study:check", "ended": "now", "commit": "a"}], False),
    ],
)
def test_a_command_is_not_repeated_that_ended_at_this_commit(plans: list[object], ended: bool, tmp_path: Path) -> None:
    (tmp_path / "plans.jsonl").write_text("".join(json.dumps(plan) + "\n" for plan in plans) + '{"command": "che')
    assert stacks.ended(tmp_path, "check", "a") is ended
    assert not stacks.ended(tmp_path, "check", "")  # no checkout


OLD = {"numpy": "1.26.4", "torch": "2.2.2", "tensorflow": "2.16.2", "keras": "3.3.3", "scipy": "1.13"}
NEW = {"numpy": "2.4.6", "torch": "2.13.0", "tensorflow": "2.21.0", "keras": "3.3.3", "scipy": "1.17"}


@pytest.mark.parametrize(
    ("first", "then", "python", "expected"),
    [
        (OLD, NEW, "3.11.7", ["torch==2.13.0", "tensorflow==2.21.0"]),  # and numpy is the newer stack
        (NEW, OLD, "3.11.7", ["numpy==1.26.4", "tensorflow==2.16.2"]),
        (OLD, OLD | {"torch": "2.13.0"}, "3.11.9", []),
        (OLD, OLD | {"torch": "2.13.0"}, "3.12.1", ["torch==2.13.0"]),  # then Python alone
        (OLD, OLD | {"scipy": "1.17"}, "3.11.7", []),
        (OLD, {"numpy": "2.4.6", "torch": "2.13.0"}, "3.11.7", ["torch==2.13.0"]),  # what is gone is no release
    ],
)
def test_the_stacks_between_change_one_package_more_each(
    first: dict[str, str], then: dict[str, str], python: str, expected: list[str], tmp_path: Path
) -> None:
    for name, packages, version in (("a", first, "3.11.7"), ("b", then, python)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "environment.json").write_text(json.dumps({"packages": packages, "python": version}))
    found = stacks.one_at_a_time(tmp_path / "a", tmp_path / "b")
    assert found == [expected[: count + 1] for count in range(len(expected))]
