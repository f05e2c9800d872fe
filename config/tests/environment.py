"""Sets the environment before the settings are loaded (pytest.ini), to the documented defaults.

No `.env` file is read, and of the exported variables only DATABASE_URL is kept.
"""

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / ".env.example"

for name in re.findall(r"^#? ?([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE):
    if name != "DATABASE_URL":
        os.environ.pop(name, None)

os.environ["ENV_FILE"] = os.devnull
os.environ["SECRET_KEY"] = "a key for the tests alone, long enough for every check of ours"  # noqa: S105
os.environ["TIME_ZONE"] = "Europe/Berlin"  # has clock changes and differs from UTC
os.environ["MEDIA_ROOT"] = tempfile.mkdtemp(prefix="clinic-media-")
atexit.register(shutil.rmtree, os.environ["MEDIA_ROOT"], ignore_errors=True)
