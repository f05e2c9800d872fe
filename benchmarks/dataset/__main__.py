"""Fills an empty database with the made clinic.

DATABASE_URL=postgres://... python -m benchmarks.dataset --scale 0.1
"""

import argparse
import os

from benchmarks.dataset.fill import fill


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--scale", type=float, default=1, help="0.1, 1, 10; not below 0.02")
    options.add_argument("--doctors", type=int)
    asked = options.parse_args()
    from verification.server import configure

    configure(os.environ["DATABASE_URL"])
    plan = fill(asked.scale, asked.doctors)
    visits = plan.visits_past + plan.visits_ahead
    people = f"{len(plan.doctors)} doctors, {len(plan.patients)} patients"
    print(f"{people}, {plan.slots} slots, {visits} appointments")


if __name__ == "__main__":
    main()
