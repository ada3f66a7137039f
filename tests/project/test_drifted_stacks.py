"""The stacks that `nox -s drift` makes: the current one, with one package in another version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import stacks


def test_one_package_is_another_version_and_all_others_are_as_locked(tmp_path: Path) -> None:
    file = tmp_path / "current-torch-2.9.1.txt"
    file.write_text(stacks.replaced("torch==2.9.1", "current", "3.11"))
    locked, made = stacks.pins(stacks.lock("current", "3.11")), stacks.pins(file)
    assert {name: made[name] for name in made if made[name] != locked[name]} == {"torch": "2.9.1"}
    assert made.keys() == locked.keys()
    assert (stacks.pythons(str(file)), stacks.floats(str(file), "3.11")) == (["3.11"], False)


@pytest.mark.parametrize("requirement", ["torch", "torch>=2.9", "tensorflow==2.20.0", "left-pad==1.0"])
def test_what_is_no_package_of_the_lock_in_another_version_is_refused_with_examples(requirement: str) -> None:
    with pytest.raises(stacks.StackError, match=r"such as torch==2\.9\.1 or tensorflow-cpu==2\.20\.0"):
        stacks.replaced(requirement, "current", "3.11")


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
