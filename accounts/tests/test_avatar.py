import io
import os
import struct
import subprocess
import sys
import zlib
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from PIL import Image

from accounts.avatars import MAX_BYTES
from accounts.models import User
from accounts.tests.factories import AdminFactory, DoctorFactory, UserFactory
from accounts.tests.helpers import (
    data,
    error_details,
    image_bytes,
    requires_postgresql,
    status_and_code,
)

pytestmark = pytest.mark.django_db

PROFILE = "/api/auth/profile/"
NOT_AN_IMAGE = {"avatar": ["This is not a JPEG, PNG, WebP or GIF picture."]}
DAMAGED = {"avatar": ["The picture is damaged."]}
ORIENTATION = 0x0112  # EXIF: the rotation of the camera


def upload(client, content, name="me.png", method="patch", **fields):
    file = SimpleUploadedFile(name, content, content_type="image/png")
    return getattr(client, method)(PROFILE, {"avatar": file} | fields, format="multipart")


def fetch(api, address):
    """Returns the image as an anonymous client gets it."""
    response = api().get(urlsplit(address).path)
    assert response.status_code == 200
    return response, b"".join(response.streaming_content)


def name_of(address):
    return urlsplit(address).path.removeprefix("/media/")


def png_header(width, height):
    """Returns a PNG header that claims this size, without image data."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            struct.pack(">I", 13),
            header,
            struct.pack(">I", zlib.crc32(header)),
            struct.pack(">I", 0),
            b"IDAT",
            struct.pack(">I", zlib.crc32(b"IDAT")),
        ]
    )


def with_metadata(kind="JPEG"):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010E] = "Jane at home"
    exif.get_ifd(0x8825)[1] = "N"
    return image_bytes(kind, exif=exif, comment=b"taken by Jane")


@pytest.mark.parametrize("person", [UserFactory, DoctorFactory, AdminFactory])
def test_an_uploaded_image_becomes_the_avatar_and_is_public_by_its_url(api, person):
    client = api(person())

    address = data(upload(client, image_bytes()))["avatar"]

    response, content = fetch(api, address)
    assert data(client.get(PROFILE))["avatar"] == address
    assert address.startswith("http://testserver/media/avatars/")
    assert response["Content-Type"] == "image/webp"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert Image.open(io.BytesIO(content)).size == (40, 30)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "RGB"),
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("PNG", "1"),
        ("PNG", "P"),
        ("PNG", "LA"),
        ("PNG", "RGBA"),
        ("PNG", "I;16"),
        ("GIF", "P"),
        ("WEBP", "RGBA"),
    ],
)
def test_every_image_format_is_converted_to_webp(api, kind, mode):
    address = data(upload(api(UserFactory()), image_bytes(kind, mode=mode)))["avatar"]

    _, content = fetch(api, address)

    assert Image.open(io.BytesIO(content)).format == "WEBP"


@pytest.mark.parametrize(
    ("size", "shown"),
    [((1024, 512), (512, 256)), ((3, 2000), (1, 512)), ((512, 512), (512, 512)), ((1, 1), (1, 1))],
)
def test_a_large_image_is_scaled_down(api, size, shown):
    address = data(upload(api(UserFactory()), image_bytes(size=size)))["avatar"]

    _, content = fetch(api, address)

    assert Image.open(io.BytesIO(content)).size == shown


def test_an_image_is_rotated_upright_and_loses_its_location(api):
    address = data(upload(api(UserFactory()), with_metadata()))["avatar"]

    _, content = fetch(api, address)

    kept = Image.open(io.BytesIO(content))
    assert kept.size == (30, 40)
    assert dict(kept.getexif()) == {}
    assert b"Jane" not in content
    assert b"EXIF" not in content


def test_metadata_of_an_image_is_removed(api):
    stowaway = b"<script>alert(1)</script>"

    address = data(upload(api(UserFactory()), image_bytes() + stowaway, name="me.html"))["avatar"]

    _, content = fetch(api, address)
    assert stowaway not in content
    assert address.endswith(".webp")


@pytest.mark.parametrize(
    ("kind", "sound", "damaged"),
    [
        ("JPEG", b"MM\0*", b"XX\0*"),
        ("WEBP", b"MM\0*", b"XX\0*"),
        ("JPEG", b"\x01\x0e\0\x02", b"\x01\x00\0\x02"),  # the width, as text
        ("JPEG", b"\0\x01\0\x02\0\0\0\x02N", b"\0\x00\0\x02\0\0\0\x02N"),
        ("JPEG", b"\0\x01\0\x02\0\0\0\x02N", b"\0\x02\0\x02\0\0\0\x02N"),
    ],
)
def test_an_image_with_broken_metadata_is_accepted(api, kind, sound, damaged):
    photo = with_metadata(kind)
    assert photo.count(sound) == 1

    response = upload(api(UserFactory()), photo.replace(sound, damaged))

    _, content = fetch(api, data(response)["avatar"])
    assert b"Jane" not in content


@pytest.mark.parametrize(
    ("content", "errors"),
    [
        (b"", NOT_AN_IMAGE),
        (b"I am a picture", NOT_AN_IMAGE),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", NOT_AN_IMAGE),
        (b"GIF89a", NOT_AN_IMAGE),
        (b"GIF89a/*<script>alert(1)</script>*/", NOT_AN_IMAGE),
        (b"%PDF-1.7\n", NOT_AN_IMAGE),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", NOT_AN_IMAGE),
        (image_bytes("BMP"), NOT_AN_IMAGE),
        (image_bytes("TIFF"), NOT_AN_IMAGE),
        (image_bytes("ICO"), NOT_AN_IMAGE),
        (image_bytes("PPM"), NOT_AN_IMAGE),
        (image_bytes("PNG")[:60], DAMAGED),
        (image_bytes("JPEG")[:-20], DAMAGED),
        (image_bytes("WEBP")[:-20], DAMAGED),
        (png_header(10, 10), DAMAGED),
        (png_header(20_000, 20_000), DAMAGED),
        (png_header(2**31 - 1, 2**31 - 1), DAMAGED),
        (png_header(8_000, 8_000), {"avatar": ["The picture has too many pixels."]}),
        (png_header(4_000, 3_001), {"avatar": ["The picture has too many pixels."]}),
        (image_bytes() + b"\0" * MAX_BYTES, {"avatar": ["The picture is larger than 5632 kB."]}),
    ],
    ids=lambda value: "" if isinstance(value, dict) else f"{value[:12]!r}-{len(value)}",
)
def test_an_unsafe_image_is_refused_and_not_stored(api, content, errors):
    jane = UserFactory()

    response = upload(api(jane), content, phone="030 1")

    assert error_details(response) == (400, "validation_error", errors)
    after = User.objects.get()
    assert (bool(after.avatar), after.phone) == (False, "")


def test_an_oversized_body_is_refused_before_it_is_read(api, settings):
    client = api(UserFactory())

    response = upload(client, b"\0" * (settings.MAX_UPLOAD_BYTES + 1))

    assert status_and_code(response) == (413, "too_large")


def test_an_image_can_be_sent_with_other_fields(api):
    jane = UserFactory(address="1 Main Street")

    changed = data(upload(api(jane), image_bytes(), phone="030 1", date_of_birth=""))

    assert (changed["phone"], changed["address"]) == ("030 1", "1 Main Street")
    assert changed["date_of_birth"] is None
    assert changed["avatar"] is not None


def test_a_put_with_an_image_keeps_omitted_fields(api):
    jane = UserFactory(phone="030 1")
    body = {"email": jane.email, "first_name": "Janet", "last_name": "Dough"}

    changed = data(upload(api(jane), image_bytes(), method="put", **body))

    assert (changed["full_name"], changed["phone"]) == ("Janet Dough", "030 1")
    assert changed["avatar"] is not None


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("is_staff", "true", "unknown_field"),
        ("password", "an-even-better-battery", "unknown_field"),
        ("user_type", "admin", "validation_error"),
        ("phone", "ab\0c", "validation_error"),
    ],
)
def test_a_form_is_validated_as_strictly_as_json(api, name, value, code):
    jane = UserFactory()

    response = upload(api(jane), image_bytes(), **{name: value})

    assert status_and_code(response) == (400, code)
    assert list(error_details(response)[2]) == [name]
    assert not User.objects.get().avatar


@pytest.mark.parametrize("name", ["avatar", "phone"])
def test_a_duplicate_form_field_is_refused(api, name):
    files = [
        SimpleUploadedFile("me.png", image_bytes()),
        SimpleUploadedFile("you.png", image_bytes()),
    ]
    values = files if name == "avatar" else ["030 1", "030 2"]

    response = api(UserFactory()).patch(PROFILE, {name: values}, format="multipart")

    assert error_details(response) == (
        400,
        "validation_error",
        {name: ["Give this field only once."]},
    )
    assert not User.objects.get().avatar


def test_text_instead_of_an_image_is_refused(api):
    response = api(UserFactory()).patch(PROFILE, {"avatar": "me.png"}, format="multipart")

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == ["avatar"]


def test_each_upload_has_an_unguessable_url(api):
    jane, paul = UserFactory(), UserFactory()

    first = data(upload(api(jane), image_bytes()))["avatar"]
    second = data(upload(api(paul), image_bytes()))["avatar"]

    names = [name_of(address).removeprefix("avatars/") for address in (first, second)]
    assert names[0] != names[1]
    assert [len(name) for name in names] == [len(".webp") + 32] * 2


def test_sending_the_current_avatar_url_keeps_the_image(api):
    client = api(UserFactory())
    address = data(upload(client, image_bytes()))["avatar"]

    changed = data(client.patch(PROFILE, {"avatar": address, "phone": "030 1"}))

    assert (changed["avatar"], changed["phone"]) == (address, "030 1")
    assert default_storage.exists(name_of(address))


def test_the_avatar_url_of_another_user_is_refused(api):
    pauls = data(upload(api(UserFactory()), image_bytes()))["avatar"]
    client = api(UserFactory())
    data(upload(client, image_bytes()))

    response = client.patch(PROFILE, {"avatar": pauls})

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == ["avatar"]


def remove_avatar(client):
    return client.patch(PROFILE, {"avatar": None})


def remove_avatar_in_a_form(client):
    return client.patch(PROFILE, {"avatar": ""}, format="multipart")


def replace_avatar(client):
    return upload(client, image_bytes(size=(10, 10)))


@pytest.mark.parametrize(
    ("change", "has_one"),
    [(remove_avatar, False), (remove_avatar_in_a_form, False), (replace_avatar, True)],
)
def test_the_old_image_is_deleted_after_commit(
    api, django_capture_on_commit_callbacks, change, has_one
):
    pauls = data(upload(api(UserFactory()), image_bytes()))["avatar"]
    client = api(UserFactory())
    old = data(upload(client, image_bytes()))["avatar"]

    with django_capture_on_commit_callbacks() as callbacks:
        changed = data(change(client))
    before_the_commit = default_storage.exists(name_of(old))
    for callback in callbacks:
        callback()

    assert before_the_commit
    assert not default_storage.exists(name_of(old))
    assert api().get(urlsplit(old).path).status_code == 404
    assert (changed["avatar"] is not None) is has_one
    assert default_storage.exists(name_of(pauls))


VERSION = 'INSERT INTO "accounts_historicaluser"'  # the last statement
FAILURES = {
    "refused": "INSERT INTO accounts_session DEFAULT VALUES",
    "given up": "DO $$ BEGIN RAISE EXCEPTION 'No' USING ERRCODE = '40P01'; END $$",
}


@contextmanager
def failing_update(failure, times):
    """Makes the first `times` updates of a user fail with `failure`."""
    failed = []

    def fail(execute, sql, params, many, context):
        if sql.startswith(VERSION) and len(failed) < times:
            failed.append(sql)
            return execute(FAILURES[failure], None, False, context)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail):
        yield
    assert len(failed) == times


def stored_images(settings):
    return {path.name for path in settings.MEDIA_ROOT.rglob("*.webp")}


def test_an_unsaved_image_is_deleted_and_the_old_one_kept(api, settings):
    client = api(UserFactory(), raise_request_exception=False)
    old = data(upload(client, image_bytes()))["avatar"]
    there = stored_images(settings)

    with failing_update("refused", times=1):
        refused = replace_avatar(client)
    with failing_update("refused", times=1):
        other = client.patch(PROFILE, {"phone": "030 1"})

    assert refused.status_code == other.status_code == 500
    assert stored_images(settings) == there
    assert data(client.get(PROFILE))["avatar"] == old
    fetch(api, old)


@requires_postgresql
@pytest.mark.django_db(transaction=True)
def test_an_image_saved_in_the_second_attempt_is_stored_once(api, settings):
    client = api(UserFactory())
    there = stored_images(settings)

    with failing_update("given up", times=1):
        address = data(upload(client, image_bytes()))["avatar"]

    _, content = fetch(api, address)
    assert stored_images(settings) - there == {name_of(address).removeprefix("avatars/")}
    assert Image.open(io.BytesIO(content)).size == (40, 30)


@pytest.mark.parametrize(
    "path",
    [
        "/media/",
        "/media/avatars/",
        "/media/avatars/../../manage.py",
        "/media/avatars/%2e%2e/%2e%2e/manage.py",
        "/media/avatars/none.webp",
        "/media/manage.py",
    ],
)
def test_only_avatars_are_served_as_media(api, path):
    data(upload(api(UserFactory()), image_bytes()))

    assert api().get(path).status_code == 404


def test_a_picture_of_twelve_megapixels_is_accepted(api):
    jane = UserFactory()

    answer = upload(api(jane), image_bytes(size=(4_000, 3_000)))

    _, stored = fetch(api, data(answer)["avatar"])
    assert Image.open(io.BytesIO(stored)).size == (512, 384)


MEMORY_OF_SIXTEEN_PICTURES = """
import re, sys
from concurrent.futures import ThreadPoolExecutor
import django
django.setup()
import config.urls
from django.core.files.uploadedfile import SimpleUploadedFile
from accounts.avatars import reencode
content = sys.stdin.buffer.read()
with ThreadPoolExecutor(16) as pool:
    list(pool.map(reencode, [SimpleUploadedFile("me.png", content) for _ in range(16)]))
status = open("/proc/self/status").read()
print(re.search(r"VmHWM:\\s+([0-9]+) kB", status)[1])
"""


def test_sixteen_large_pictures_at_once_are_decoded_one_after_the_other():
    """Each takes 48 MB while it is decoded: sixteen at once took 1.5 GB."""
    content = image_bytes(size=(4_000, 3_000), mode="RGBA")

    kilobytes = int(
        subprocess.run(  # noqa: S603
            [sys.executable, "-c", MEMORY_OF_SIXTEEN_PICTURES],
            input=content,
            capture_output=True,
            check=True,
            cwd=settings.BASE_DIR,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"},
        ).stdout
    )

    assert kilobytes < 150_000
