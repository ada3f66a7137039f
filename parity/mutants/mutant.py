"""The mutants of a file: every change that cosmic-ray's operators make of it, each one token or one operation."""

from __future__ import annotations

import ast
import difflib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from parity.discovery import Lazy
from parity.mutants.modules import path

cosmic_ray_ast: Any = Lazy("cosmic_ray.ast")
cosmic_ray_query: Any = Lazy("cosmic_ray.ast.ast_query")
cosmic_ray_mutating: Any = Lazy("cosmic_ray.mutating")
cosmic_ray_plugins: Any = Lazy("cosmic_ray.plugins")


@dataclass(frozen=True)
class Mutant:
    """The change that `operator` makes at its position number `occurrence` in a file.

    module: the module's dotted name
    definition: the function or class that is changed; empty where it is the module
    line: the number of the changed line
    """

    module: str
    operator: str
    occurrence: int
    definition: str
    line: int

    @property
    def key(self) -> str:
        return f"{self.module}/{self.operator}/{self.occurrence}"

    def source(self) -> str:
        """The source of the whole module with the change in it."""
        operator = cosmic_ray_plugins.get_operator(self.operator)()
        changed: str = cosmic_ray_mutating.mutate_code(path(self.module).read_text("utf-8"), operator, self.occurrence)
        return changed

    @property
    def counts(self) -> bool:
        """Tells whether it is Python, and changes something that is ever evaluated: not an annotation."""
        try:
            return _evaluated(path(self.module).read_text("utf-8")) != _evaluated(self.source())
        except SyntaxError:
            return False

    def diff(self) -> list[str]:
        """The lines that are taken out and put in, marked with - and +."""
        before, after = path(self.module).read_text("utf-8").splitlines(), self.source().splitlines()
        lines = difflib.unified_diff(before, after, lineterm="", n=0)
        return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def _evaluated(source: str) -> str:
    """The syntax of what Python evaluates of a module, which says `from __future__ import annotations` as all do."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return ast.dump(tree)


def candidates(names: Iterable[str]) -> Iterator[Mutant]:
    """Yields every mutant of these modules."""
    for name in names:
        tree = cosmic_ray_ast.get_ast(path(name).read_text("utf-8"))
        nodes = list(cosmic_ray_ast.ast_nodes(tree))
        for operator_name in sorted(cosmic_ray_plugins.operator_names()):
            kind = cosmic_ray_plugins.get_operator(operator_name)
            if kind.arguments():  # those that want to be told a name
                continue
            operator = kind()
            places = [(node, place) for node in nodes for place in operator.mutation_positions(node)]
            for occurrence, (node, (start, _)) in enumerate(places):
                definition = cosmic_ray_query.ASTQuery(node).get_definition_name() or ""
                yield Mutant(name, operator_name, occurrence, definition, start[0])


def sample(mutants: Iterable[Mutant], number: int | None, seed: int) -> list[Mutant]:
    """So many of the mutants, drawn by the seed; all of them where `number` is None or no less.

    The first n of a larger sample of the same seed are the sample of n: a session goes on where one stopped.
    """
    shuffled = sorted(mutants, key=lambda mutant: mutant.key)
    random.Random(seed).shuffle(shuffled)
    return shuffled[:number]
