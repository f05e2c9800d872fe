"""One thing taken out of the product, and the tests that are to notice."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

HOUSE = Path(__file__).resolve().parents[2]
SQLITE, POSTGRESQL = "sqlite", "postgresql"


class Edit(NamedTuple):
    """`old`, a text or a compiled pattern, stands exactly once in `file`."""

    file: str
    old: str | re.Pattern
    new: str

    def applied(self, text):
        """The file's text with the edit made; ValueError where it does not fit any more."""
        old = self.old if isinstance(self.old, re.Pattern) else re.compile(re.escape(self.old))
        mutated, times = old.subn(lambda _: self.new, text)
        if times != 1:
            raise ValueError(f"{self.file}: found {times} times: {old.pattern}")
        return mutated


class Mutant(NamedTuple):
    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]  # as pytest is told
    engine: str = SQLITE
    changes_tables: bool = False  # so that the migrations must run for it


def mutants(file, tests, changes, engine=SQLITE, *, changes_tables=False):
    """One of each {name: (old, new)}; where a change needs more, its (old, new, old, new, …)."""
    return [
        Mutant(
            name=name,
            edits=tuple(
                Edit(file, old, new) for old, new in zip(texts[::2], texts[1::2], strict=True)
            ),
            tests=tuple(tests),
            engine=engine,
            changes_tables=changes_tables,
        )
        for name, texts in changes.items()
    ]


def on_both_engines(file, tests, changes, **details):
    return [
        one._replace(name=f"{one.name} [{engine}]")
        for engine in (SQLITE, POSTGRESQL)
        for one in mutants(file, tests, changes, engine, **details)
    ]


def without_call(file, function, constraint):
    """The edit that takes out the call of `function` that names the constraint.

    Found by its syntax, so that no constraint has to be written out twice.
    """
    text = (HOUSE / file).read_text()
    found = [
        ast.get_source_segment(text, node)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in function
        and _names(node, constraint)
    ]
    if len(found) != 1:
        raise ValueError(f"{file}: {constraint} is made {len(found)} times")
    return Edit(file, re.compile(re.escape(found[0]) + r",?[ \t]*\n?"), "")


def _names(call, constraint):
    calls = [call, *(one.value for one in call.keywords if isinstance(one.value, ast.Call))]
    return any(
        keyword.arg == "name"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value == constraint
        for one in calls
        for keyword in one.keywords
    )
