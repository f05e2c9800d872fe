"""Reads the environment and `.env` (or the file ENV_FILE). A blank value means the default."""

import os
from pathlib import Path

from decouple import Config, RepositoryEmpty, RepositoryEnv

BASE_DIR = Path(__file__).resolve().parent.parent

_env_file = Path(os.environ.get("ENV_FILE", BASE_DIR / ".env"))
_read = Config(RepositoryEnv(_env_file) if _env_file.exists() else RepositoryEmpty())


def config(name, default="", cast=str):
    """Return the variable `name`, converted by `cast`, or `default` if it is missing or blank."""
    value = _read(name, default="")
    return _read(name, default=default, cast=cast) if value != "" else default
