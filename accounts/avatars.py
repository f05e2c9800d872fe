"""Pictures of people, made harmless on the way in."""

import mimetypes
import struct
from contextlib import suppress
from io import BytesIO

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from PIL import Image, ImageOps, UnidentifiedImageError

mimetypes.add_type("image/webp", ".webp")  # a machine without /etc/mime.types lacks it

FORMATS = ["JPEG", "PNG", "WEBP", "GIF"]
MAX_PIXELS = 40_000_000
MAX_BYTES = settings.MAX_UPLOAD_BYTES - 512 * 1024  # leaves room for the rest of the form
SIDE = 512

# What Pillow raises where a file, or its metadata, is damaged.
DAMAGE = (
    ArithmeticError,
    EOFError,
    Image.DecompressionBombError,
    LookupError,
    OSError,
    struct.error,
    SyntaxError,
    TypeError,
    ValueError,
)


def reencode(upload):
    """The picture in `upload` as a WebP of at most 512 pixels a side, without metadata.

    Raises ValidationError for what is no JPEG, PNG, WebP or GIF, or too large in bytes or pixels.
    """
    if upload.size > MAX_BYTES:
        raise ValidationError(f"The picture is larger than {MAX_BYTES // 1024} kB.")
    try:
        image = Image.open(upload, formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise ValidationError("The picture has too many pixels.")
        image.load()
    except UnidentifiedImageError as error:
        raise ValidationError("This is not a JPEG, PNG, WebP or GIF picture.") from error
    except DAMAGE as error:
        raise ValidationError("The picture is damaged.") from error
    with suppress(*DAMAGE):  # metadata nobody can read turn no picture, and refuse none
        image = ImageOps.exif_transpose(image)
    image.thumbnail((SIDE, SIDE))
    plain = Image.new("RGBA", image.size)
    plain.paste(image.convert("RGBA"))
    written = BytesIO()
    plain.save(written, "WEBP", quality=85)
    return ContentFile(written.getvalue(), name="avatar.webp")
