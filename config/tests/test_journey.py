"""Runs the README's walkthrough, from registration to prescription, as it is written."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from appointments.models import Appointment
from consultations.models import Consultation

README = Path(__file__).resolve().parents[2] / "README.md"

# A substitute that implements as much of curl as the walkthrough needs.
CURL_SUBSTITUTE = f"""#!{sys.executable}
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

arguments = iter(sys.argv[1:])
method, headers, body, url = "GET", {{}}, None, None
for argument in arguments:
    if argument == "-X":
        method = next(arguments)
    elif argument == "-H":
        name, _, value = next(arguments).partition(": ")
        headers[name] = value
    elif argument == "-d":
        body = next(arguments).encode()
    elif not argument.startswith("-"):
        url = argument
try:
    answer = urlopen(Request(url, body, headers, method=method))
except HTTPError as error:
    answer = error
sys.stdout.write(answer.read().decode())
"""


def walkthrough():
    return re.search(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)[1]


@pytest.fixture(params=["curl", "a stand-in"])
def path_with_curl(request, tmp_path):
    """A PATH with the real `curl`, if there is one, or with the substitute."""
    if request.param == "a stand-in" or shutil.which("curl") is None:
        curl = tmp_path / "curl"
        curl.write_text(CURL_SUBSTITUTE)
        curl.chmod(curl.stat().st_mode | stat.S_IXUSR)
    return f"{tmp_path}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.django_db(transaction=True)
def test_the_readme_walkthrough_leads_from_registration_to_prescription(
    live_server, settings, path_with_curl
):
    settings.DOCTOR_VERIFICATION_REQUIRED = False  # as set by `make run`
    walk = walkthrough().replace("http://127.0.0.1:8000", live_server.url)
    assert live_server.url in walk

    done = subprocess.run(  # noqa: S603
        ["/bin/sh", "-eu", "-c", walk],
        env={"PATH": path_with_curl},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.stderr == ""
    assert done.returncode == 0
    assert '"status":"error"' not in done.stdout
    consultation = Consultation.objects.get()
    assert consultation.status == "completed"
    assert consultation.diagnosis == "Essential hypertension"
    assert consultation.prescriptions.get().medication_name == "Ramipril"
    assert consultation.vital_signs.get().systolic_bp == 148
    assert consultation.notes.get().note_type == "plan"
    appointment = Appointment.objects.get()  # a week from now
    assert appointment.status == "confirmed"
    actions = list(appointment.history.values_list("action", flat=True))
    assert actions == ["book", "confirm"]


def test_the_walkthrough_starts_with_the_seed_examples():
    walk = walkthrough()

    for example in ('"username": "doctor1"', '"medical_license_number": "MD123456"',
                    '"username": "patient1"', '"start_time\\": \\"09:00:00\\"'):  # fmt: skip
        assert example in walk
