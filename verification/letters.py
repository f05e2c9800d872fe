"""Checks that no letter is lost while its workers are killed.

    python -m verification.letters --letters 1000 --workers 2 --engine postgresql

The letters go to a mail server of this process. A worker is killed every `--every` seconds and
started again. Each letter must arrive, and at most one letter twice for each kill. The script exits
with 1 otherwise.
"""

import argparse
import os
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress

from verification.server import HOST, ROOT, configure, fresh_database

SECONDS_A_LETTER = 0.02  # that the mail server takes, so that a kill meets a delivery
TIME_LIMIT = 300  # seconds


class MailSession(socketserver.StreamRequestHandler):
    """One SMTP session (RFC 5321), which counts the recipients of accepted messages."""

    def handle(self):
        with suppress(ConnectionError):  # the worker was killed
            self._talk()

    def _talk(self):
        self._answer("220 ready")
        recipients = []
        while line := self.rfile.readline():
            command = line.strip().upper()
            if command == b"DATA":
                self._answer("354 go on")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                time.sleep(SECONDS_A_LETTER)
                self.server.received.update(recipients)
                recipients = []
            elif command.startswith(b"RCPT TO:"):
                recipients.append(line.split(b"<")[1].split(b">")[0].decode())
            self._answer("221 bye" if command == b"QUIT" else "250 ok")
            if command == b"QUIT":
                return

    def _answer(self, text):
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server():
    """Runs the mail server; yields (its port, a Counter of the recipients)."""
    with socketserver.ThreadingTCPServer((HOST, 0), MailSession) as server:
        server.daemon_threads = True
        server.received = Counter()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], server.received
        server.shutdown()


def start_worker():
    log = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "manage.py", "work"], cwd=ROOT, stdout=log, stderr=log)


def run(letters, workers, every):
    """Delivers the letters under kills; returns the number of kills."""
    from django.utils import timezone

    from accounts.messages import outbox
    from accounts.models import MessageStatus, OutgoingMessage

    for number in range(letters):
        outbox.send("email_changed", to=f"{number}@example.com")
    waiting = OutgoingMessage.objects.filter(status=MessageStatus.WAITING)
    running = [start_worker() for _ in range(workers)]
    kills, is_idle, deadline = 0, False, time.monotonic() + TIME_LIMIT
    try:
        while waiting.exists() and time.monotonic() < deadline:
            time.sleep(every)
            if OutgoingMessage.objects.due().exists():
                victim = running.pop(0)
                victim.send_signal(signal.SIGKILL)
                victim.wait()
                kills += 1
                running.append(start_worker())
                is_idle = False
            elif is_idle:  # what is left is on the lease of a killed worker: let the lease end
                waiting.update(next_attempt_at=timezone.now())
            else:
                is_idle = True
    finally:
        for worker in running:
            worker.terminate()
            worker.wait()
    return kills


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--letters", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=float, default=2, help="seconds between two kills")
    parser.add_argument("--engine", choices=["postgresql", "sqlite"], default="postgresql")
    options = parser.parse_args()
    with mail_server() as (port, received), fresh_database(options.engine) as database:
        os.environ["EMAIL_URL"] = f"smtp://{HOST}:{port}"
        os.environ["WEB_DELIVERS_LETTERS"] = "false"
        configure(database)
        kills = run(options.letters, options.workers, options.every)
        from django.db import connection

        connection.close()
    lost = options.letters - len(received)
    twice = sum(received.values()) - len(received)
    print(f"{options.letters} letters, {kills} kills: {lost} lost, {twice} delivered twice")
    sys.exit(lost > 0 or twice > kills)


if __name__ == "__main__":
    main()
