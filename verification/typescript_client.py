"""Compiles a typed client from the OpenAPI document and walks through the API with it.

    python -m verification.typescript_client

Two generators read the document. `tsc` compares their types and compiles, with the strictest
options, the walk and the examples of docs/for-frontend-developers.md. Both programs run against a
demo server. It needs Node.js 20 and the npm registry.
The script exits with 1 if a step fails.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from http.client import HTTPConnection

from verification.server import HOST, ROOT

CLIENT = ROOT / "clients" / "typescript"
PAGE = ROOT / "docs" / "for-frontend-developers.md"
PROGRAMS = ["walk", "documented"]
SECONDS = 60  # until the demo server must answer
MANAGE = [sys.executable, "manage.py"]


def main():
    with tempfile.TemporaryDirectory(prefix="clinic-") as folder:
        environment = os.environ | {
            "ENV_FILE": os.devnull,
            "DEBUG": "true",
            "DATABASE_URL": f"sqlite:///{folder}/clinic.sqlite3",
        }
        document = ["spectacular", "--format", "openapi-json", "--file", CLIENT / "openapi.json"]
        run(*MANAGE, *document, cwd=ROOT, env=environment)
        (CLIENT / "src" / "documented.ts").write_text(program_of(PAGE.read_text()))
        for step in (["ci", "--no-audit", "--no-fund"], ["run", "generate"], ["run", "build"]):
            run("npm", "--silent", *step)
        with demo_server(environment) as address:
            for name in PROGRAMS:
                run("node", f"dist/{name}.js", address)


def run(*command, cwd=CLIENT, env=None):
    subprocess.run(command, cwd=cwd, env=env, check=True)  # noqa: S603


def program_of(page):
    """Return the TypeScript blocks of a Markdown page as one program."""
    return "\n".join(re.findall(r"^```ts\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))


@contextmanager
def demo_server(environment):
    """Runs the demo clinic on a free port and yields its address."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    command = [*MANAGE, "demo", f"{HOST}:{port}"]
    log = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)  # noqa: S603
    try:
        wait_for(port)
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait_for(port):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        connection = HTTPConnection(HOST, port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.5)
        finally:
            connection.close()
    raise SystemExit("The demo server does not answer.")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as failure:
        raise SystemExit(f"{failure.cmd} failed.") from None
