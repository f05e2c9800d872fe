"""Answers counted requests in one process without a web server, for instructions.py.

    valgrind --tool=callgrind --dump-before=getpgid python -m benchmarks.in_process floor calls.json

The JSON file maps each call to its requests as HTTP/1.1 text. The first WARM_UP requests of a call
are not counted. Callgrind writes its counters before and after the other requests. The script
prints the first answer of each call as JSON.
"""

import json
import os
import runpy
import sys
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[1]
HOST, PORT = "localhost", 80
WARM_UP = 20


def write_counters():
    """Makes callgrind write its counters and reset them (`--dump-before=getpgid`).

    No other code in the process calls this function of libc.
    """
    os.getpgid(0)


class Request:
    """An HTTP/1.1 request, parsed before anything is counted."""

    def __init__(self, text):
        head, _, body = text.partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        self.method, target, _ = first.split(" ")
        path, _, self.query = target.partition("?")
        self.path, self.body = unquote(path), body.encode()
        self.headers = [tuple(line.split(": ", 1)) for line in lines]


# --- WSGI --------------------------------------------------------------------------------------


def serve_wsgi(application, requests, note):
    """Calls `note` with the status and body of each answer."""
    for environ, body in [(environ_of(request), request.body) for request in requests]:
        note(*call_wsgi(application, environ, body))


def environ_of(request):
    environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "SERVER_NAME": HOST,
        "SERVER_PORT": str(PORT),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        key = name.upper().replace("-", "_")
        environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value
    return environ


def call_wsgi(application, environ, body):
    statuses = []
    answer = application(
        environ | {"wsgi.input": BytesIO(body)},
        lambda status, headers, exc_info=None: statuses.append(int(status[:3])),
    )
    try:
        return statuses[0], b"".join(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()


# --- ASGI --------------------------------------------------------------------------------------


def serve_asgi(application, requests, note):
    """Like `serve_wsgi`, in one task: AnyIO starts a new worker thread for each task."""
    import uvloop

    async def call_each():
        async with application.router.lifespan_context(application):
            for scope, body in [(scope_of(request), request.body) for request in requests]:
                note(*await call_asgi(application, scope, body))

    uvloop.run(call_each())


def scope_of(request):
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": (HOST, PORT),
        "client": ("127.0.0.1", 50_000),
        "scheme": "http",
        "root_path": "",
        "method": request.method,
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": request.query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in request.headers],
    }


async def call_asgi(application, scope, body):
    messages, statuses, content = [{"type": "http.request", "body": body}], [], []

    async def receive():
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
        else:
            content.append(message.get("body", b""))

    await application(dict(scope, state={}, headers=list(scope["headers"])), receive, send)
    return statuses[0], b"".join(content)


# --- Variants ----------------------------------------------------------------------------------


def product():
    """The product, prepared as its gunicorn worker is."""
    from config.wsgi import application

    settings = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    settings["post_worker_init"](None)
    return serve_wsgi, application


def floor():
    from benchmarks.floor.app import application

    return serve_wsgi, application


def fastapi():
    from benchmarks.yardstick.app import app

    return serve_asgi, app


def fastapi_core():
    from benchmarks.yardstick.core import app

    return serve_asgi, app


VARIANTS = {"product": product, "floor": floor, "fastapi": fastapi, "fastapi core": fastapi_core}


class Counted:
    """Receives the answers of one call and writes the counters around the counted ones."""

    def __init__(self, requests):
        self.last, self.taken, self.first = len(requests), 0, None

    def note(self, status, body):
        self.taken += 1
        if status not in {200, 201}:
            raise SystemExit(f"{status}: {body}")
        if self.taken == 1:
            self.first = [status, json.loads(body)]
        if self.taken in {WARM_UP, self.last}:
            write_counters()


def main(variant, file):
    serve, application = VARIANTS[variant]()
    answers = {}
    for name, texts in json.loads(Path(file).read_text()).items():
        counted = Counted(texts)
        serve(application, [Request(text) for text in texts], counted.note)
        answers[name] = counted.first
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
