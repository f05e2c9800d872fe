"""Checks that clients that dawdle do not stop others, behind the nginx of docs/operations.md.

    python -m verification.slow_clients

More clients than gunicorn has threads send a body slowly, and 300 open a connection and send
nothing. Meanwhile, /healthz must answer, and nginx must end the slow bodies. The script exits with
1 if one of them fails. It needs nginx and openssl.
"""

import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

from verification.server import HOST, PORT, ROOT, configure, fresh_database, gunicorn

TLS_PORT, PLAIN_PORT = PORT + 1, PORT + 2
SLOW, SILENT, CHECKS = 9, 300, 20
TIMEOUT = 5  # seconds; shorter than the time-outs of nginx
NAME = "clinic.example"
HEAD = (
    "POST /api/auth/login/ HTTP/1.1\r\nHost: clinic.example\r\n"
    "Content-Type: application/json\r\nContent-Length: 900000\r\n\r\n"
)


def documented_block():
    """Return the configuration of nginx in docs/operations.md."""
    text = (ROOT / "docs" / "operations.md").read_text()
    block = re.search(r"With nginx:\n\n((?:    .*\n|\n)+)", text)[1]
    return re.sub(r"^    ", "", block, flags=re.MULTILINE)


def nginx_configuration(folder):
    """Return the documented block with the ports and files of this experiment."""
    block = documented_block()
    for documented, here in [
        ("listen 443 ssl", f"listen {HOST}:{TLS_PORT} ssl"),
        ("listen 80", f"listen {HOST}:{PLAIN_PORT}"),
        ("/etc/letsencrypt/live/clinic.example/", f"{folder}/"),
        ("/var/log/nginx/", f"{folder}/"),
        ("http://127.0.0.1:8000", f"http://{HOST}:{PORT}"),
    ]:
        if documented not in block:
            raise SystemExit(f"docs/operations.md does not contain {documented!r}")
        block = block.replace(documented, here)
    return (
        f"pid {folder}/pid; error_log {folder}/error.log; daemon off;\n"
        "events { worker_connections 1024; }\n"
        f"http {{\nclient_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"{block}\n}}\n"
    )


@contextmanager
def nginx():
    """Runs nginx with the documented configuration and a certificate of its own."""
    with tempfile.TemporaryDirectory(prefix="nginx-") as folder:
        Path(folder).chmod(0o755)  # nginx's workers run as another user
        command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN={NAME}"
        files = ["-keyout", f"{folder}/privkey.pem", "-out", f"{folder}/fullchain.pem"]
        subprocess.run([*command.split(), *files], check=True, capture_output=True)  # noqa: S603
        configuration = Path(folder, "nginx.conf")
        configuration.write_text(nginx_configuration(folder))
        command = ["nginx", "-c", str(configuration), "-e", f"{folder}/error.log"]
        subprocess.run([*command, "-t"], check=True, capture_output=True)  # noqa: S603
        process = subprocess.Popen(command)  # noqa: S603
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def unverified():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def health():
    """Return the status of /healthz through nginx."""
    connection = HTTPSConnection(HOST, TLS_PORT, timeout=TIMEOUT, context=unverified())
    try:
        connection.request("GET", "/healthz", headers={"Host": NAME})
        return connection.getresponse().status
    except (OSError, HTTPException) as error:
        return repr(error)
    finally:
        connection.close()


def wait_until_healthy():
    for _ in range(50):
        if health() == 200:
            return
        time.sleep(0.2)
    raise SystemExit("nginx does not answer")


def ended(client):
    """Return whether the server closes the connection or answers with an error."""
    try:
        return client.recv(100)[:12] in (b"", b"HTTP/1.1 408")
    except TimeoutError:
        return False
    except OSError:
        return True


def experiment():
    """Return the statuses of /healthz during the attack, and how many slow bodies were ended."""
    with ExitStack() as stack:
        for _ in range(SILENT):
            stack.enter_context(socket.create_connection((HOST, TLS_PORT), timeout=20))
        slow = []
        for _ in range(SLOW):
            plain = stack.enter_context(socket.create_connection((HOST, TLS_PORT), timeout=20))
            client = stack.enter_context(unverified().wrap_socket(plain))
            client.sendall(HEAD.encode() + b'{"username"')
            slow.append(client)
        statuses = [health() for _ in range(CHECKS)]
        return statuses, sum(map(ended, slow))


def main():
    with fresh_database("sqlite") as database:
        os.environ |= {"ALLOWED_HOSTS": f"{NAME},{HOST}"}
        configure(database)
        os.environ |= {"WEB_CONCURRENCY": "1", "THREADS": "8"}
        with gunicorn(), nginx():
            wait_until_healthy()
            statuses, closed = experiment()
    answered = statuses.count(200)
    print(f"/healthz answered {answered} of {CHECKS} times; {closed} of {SLOW} slow bodies ended")
    if answered < CHECKS:
        print({str(one) for one in statuses})
    sys.exit(answered < CHECKS or closed < SLOW)


if __name__ == "__main__":
    main()
