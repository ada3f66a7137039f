"""Every default is the frameworks' own, or another one as stated; no argument is left out."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest

from parity.catalogue.defaults import APART, DEFAULTS, NONE, Default
from parity.frameworks import available
from parity.ladder.proving import targets

by_key = pytest.mark.parametrize("default", DEFAULTS, ids=lambda default: default.key)
OURS = {default.key for default in DEFAULTS}


@by_key
def test_a_default_is_as_stated(default: Default) -> None:
    assert not default.wrong()


@pytest.mark.skipif(not available(), reason="no framework has a default to compare with")
@by_key
def test_a_default_that_is_stated_otherwise_is_off(default: Default) -> None:
    swapped = {} if default.other else {there.package: "no reason" for there in default.there}
    wrong = replace(default, other=swapped).as_record()
    assert wrong.passed is False or not default.installed()
    assert all(default.key in line for line in wrong.message.splitlines())


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.__name__)
def test_every_argument_that_has_a_default_is_compared_or_told_why_not(target: type) -> None:
    for name, parameter in inspect.signature(target).parameters.items():
        key = f"{target.__name__}.{name}"
        if parameter.default is not NONE:
            assert (key in OURS) != (name in APART or key in APART), key


def test_nothing_is_said_of_arguments_that_there_are_not() -> None:
    signatures = {target.__name__: inspect.signature(target).parameters for target in targets()}
    for key in APART:
        name, _, argument = key.partition(".")
        assert argument in signatures[name] if argument else any(name in found for found in signatures.values()), key
