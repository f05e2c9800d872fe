"""What keeps a booking from going wrong."""

from mutants import constraints, keys, locks, rules, versions


def every_mutant():
    return [
        *constraints.every_mutant(),
        *locks.every_mutant(),
        *keys.every_mutant(),
        *versions.every_mutant(),
        *rules.every_mutant(),
    ]
