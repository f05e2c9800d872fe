"""An upload on a full disk is answered 503 and leaves no file. The test mounts a disk."""

import shutil
import subprocess

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.tests.helpers import image_bytes
from config.tests.test_full_disk import PROFILE, is_refused
from patients.tests.factories import PatientFactory


@pytest.fixture
def full_disk(settings):
    """Mounts a full disk at MEDIA_ROOT; calling the fixture frees its space."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(settings.MEDIA_ROOT)]
    if not mount or subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603
        pytest.skip("mounting a disk needs root")
    filler = settings.MEDIA_ROOT / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(settings.MEDIA_ROOT).free))
    yield filler.unlink
    subprocess.run([str(umount), str(settings.MEDIA_ROOT)], check=True)  # noqa: S603


def pictures_in(folder):
    return list(folder.rglob("*.webp"))


@pytest.mark.django_db
def test_an_upload_on_a_full_disk_is_503_and_changes_nothing(api, full_disk, settings, caplog):
    client = api(PatientFactory(), raise_request_exception=False)

    def upload():
        file = SimpleUploadedFile("me.png", image_bytes(), content_type="image/png")
        return client.patch(PROFILE, {"avatar": file, "first_name": "Joan"}, format="multipart")

    refused = upload()

    assert is_refused(refused, "The clinic cannot save this at the moment, because a disk is full.")
    assert "The disk is full: ENOSPC" in caplog.text
    assert pictures_in(settings.MEDIA_ROOT) == []
    shown = client.get(PROFILE).json()["data"]
    assert shown["avatar"] is None
    assert shown["first_name"] != "Joan"

    full_disk()

    assert upload().status_code == 200
    assert len(pictures_in(settings.MEDIA_ROOT)) == 1
