"""Checks that a flood of large requests does not fill the memory of the workers.

    python -m verification.flood

Each group of requests meets fresh workers, from 16 clients at once: texts of 1 MB, pictures of the
largest kinds that are accepted and refused, and lists of the longest allowed texts. The script
prints the statuses, the largest answer and the largest memory of a worker, and exits with 1 for a
5xx, an answer over 5 MB, or a worker over 150 MB (500 MB while it sends pages of 4.5 MB).
"""

import argparse
import json
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection, HTTPException
from io import BytesIO
from pathlib import Path

from verification.server import HOST, PORT, configure, fresh_database, gunicorn

CLIENTS = 16
MEGABYTE = 1024 * 1024
LARGEST_ANSWER = 5_000_000  # bytes
LARGEST_WORKER = 150  # MB
LARGEST_WITH_FULL_PAGES = 500  # MB, while eight threads answer with 4.5 MB each
EMOJI = "\N{GRINNING FACE}"  # four bytes
FITS = 14  # rows of the longest texts in a response
FULL_PAGES = f"60 lists of {FITS} rows"


def make_clinic():
    """Returns the tokens of a patient and a doctor, and the longest visits."""
    from accounts.auth.sessions import open_session
    from accounts.tests.factories import DoctorFactory
    from appointments.tests.factories import make_appointment
    from patients.tests.factories import PatientFactory

    doctor, patient = DoctorFactory(license_verified=True), PatientFactory()
    text = EMOJI * 10_000
    for _ in range(60):
        make_appointment(
            doctor=doctor,
            patient=patient,
            reason_for_visit=text,
            symptoms=text,
            patient_notes=text,
            doctor_notes=EMOJI * 50_000,
        )
    return {
        "patient": open_session(patient)["access"],
        "doctor": open_session(doctor)["access"],
    }


def picture(kind, side):
    from PIL import Image

    image, file = Image.effect_noise((side, side), 90), BytesIO()
    image.convert("RGB").save(file, kind, quality=40)
    edge = b"boundary"
    head = b'--%s\r\nContent-Disposition: form-data; name="avatar"; filename="a"\r\n\r\n' % edge
    return head + file.getvalue() + b"\r\n--%s--\r\n" % edge


def groups():
    """Returns {name: (role, [(method, path, body, content type)])}."""
    megabyte, json_type = "x" * MEGABYTE, "application/json"
    form = "multipart/form-data; boundary=boundary"
    profile, booking = "/api/auth/profile/", "/api/appointments/"
    patch = json.dumps({"medical_history": "x" * (MEGABYTE - 100)})
    three = json.dumps(dict.fromkeys(("reason_for_visit", "symptoms", "patient_notes"), megabyte))
    pictures = [picture("JPEG", 3400), picture("JPEG", 4000), picture("PNG", 1200)]
    lists = {
        f"60 lists of {size} rows": [("GET", f"{booking}?page_size={size}", None, json_type)] * 60
        for size in (FITS, 20, 100)
    }
    return {
        "60 PATCHes of 1 MB": ("patient", [("PATCH", profile, patch, json_type)] * 60),
        "80 bookings of 3 MB": ("patient", [("POST", booking, three, json_type)] * 80),
        "48 pictures": ("patient", [("PATCH", profile, one, form) for one in pictures] * 16),
        **{name: ("doctor", requests) for name, requests in lists.items()},
    }


def send(token, request):
    """Sends a request; returns (status, size of the answer)."""
    method, path, body, kind = request
    connection = HTTPConnection(HOST, PORT, timeout=120)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, len(answer.read())
    except (OSError, HTTPException):  # refused before the body was sent
        return 0, 0
    finally:
        connection.close()


def largest_worker(arbiter):
    """Returns the most memory that a worker of gunicorn has had, in MB."""
    children = Path(f"/proc/{arbiter}/task/{arbiter}/children").read_text().split()
    return max(
        int(line.split()[1]) // 1024
        for child in children
        for line in Path(f"/proc/{child}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    failed = False
    with fresh_database("postgresql") as database:
        configure(database)
        os.environ["THROTTLE_LOGIN"] = "1000000/min"
        tokens = make_clinic()
        for name, (role, requests) in groups().items():
            with gunicorn() as process, ThreadPoolExecutor(CLIENTS) as clients:
                answers = list(clients.map(partial(send, tokens[role]), requests))
                memory = largest_worker(process.pid)
            statuses = Counter(status for status, _ in answers)
            largest = max(size for _, size in answers)
            limit = LARGEST_WITH_FULL_PAGES if name == FULL_PAGES else LARGEST_WORKER
            bad = largest > LARGEST_ANSWER or max(statuses) >= 500 or memory > limit
            failed |= bad
            print(
                f"{name}: {dict(sorted(statuses.items()))}, largest answer {largest:,} bytes, "
                f"largest worker {memory} MB",
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
