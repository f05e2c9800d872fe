"""Runs the previous release's code against the schema of this one, on SQLite and PostgreSQL.

    python -m verification.previous_release

While an update is rolled out, processes of the old release still serve requests on the migrated
database. The script migrates a fresh database with the migrations of this tree, takes the release
that `previous_release.txt` names out of git into a temporary folder, and runs
`previous_release_smoke.py` there. Write the new commit into `previous_release.txt` after a release.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from verification.restore_drill import databases, environment, say

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
RELEASE = (FOLDER / "previous_release.txt").read_text().strip()
SMOKE = (FOLDER / "previous_release_smoke.py").read_text()


def main():
    run(ROOT, "git", "rev-parse", "--verify", "--quiet", f"{RELEASE}^{{commit}}")
    with (
        tempfile.TemporaryDirectory() as folder,
        databases(f"previous_release_{Path(folder).name}") as (postgresql,),
    ):
        old_tree = Path(folder) / "previous"
        archive = Path(folder) / "previous.zip"
        run(ROOT, "git", "archive", f"--output={archive}", RELEASE)
        shutil.unpack_archive(archive, old_tree)
        for address in (f"sqlite:///{folder}/clinic.sqlite3", postgresql):
            env = environment(address) | {"DJANGO_SETTINGS_MODULE": "config.settings"}
            run(ROOT, sys.executable, "manage.py", "migrate", "--verbosity=0", env=env)
            run(old_tree, sys.executable, "-", env=env, text=SMOKE)
            say(f"ok     {RELEASE[:7]} works on this schema: {address.partition(':')[0]}")


def run(folder, *command, env=None, text=None):
    """Run a command; if it fails, show what it said and exit."""
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, env=env, input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"FAILED {' '.join(command)}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
