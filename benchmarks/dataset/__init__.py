"""Makes the clinic that the benchmarks measure: some years old, and the same in each run.

With `--scale 1` the clinic has 20 doctors, 20,000 patients, 500,000 slots, 300,000 appointments and
60,000 consultations, with their history and audit rows. Another scale changes the number of
doctors; each doctor keeps the same load and the same number of years. `--doctors` fixes the number
of doctors; then the scale changes the number of years. Slots are opened week by week, one doctor
after the other.
"""

from benchmarks.dataset.fill import fill
from benchmarks.dataset.plan import SLOT, Plan

__all__ = ["SLOT", "Plan", "fill"]
