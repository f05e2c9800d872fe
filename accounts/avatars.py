"""Re-encodes uploaded pictures, which removes metadata and malicious content."""

import mimetypes
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

mimetypes.add_type("image/webp", ".webp")  # missing on machines without /etc/mime.types

FORMATS = ["JPEG", "PNG", "WEBP", "GIF"]
MAX_PIXELS = 12_000_000  # 48 MB while one picture is decoded
MAX_BYTES = settings.MAX_UPLOAD_BYTES - 512 * 1024  # leaves room for the rest of the form
SIDE = 512

# One thread decodes all pictures of a process: each thread that decodes keeps the memory.
decoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pictures")

# The exceptions that Pillow raises for a damaged file or damaged metadata.
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
    """Return the picture as a WebP of at most 512 by 512 pixels, without metadata.

    Raises a ValidationError if the file is not a JPEG, PNG, WebP or GIF, or too large in bytes or
    pixels.
    """
    if upload.size > MAX_BYTES:
        sentence = _("The picture is larger than %(limit)d kB.")
        raise ValidationError(sentence % {"limit": MAX_BYTES // 1024})
    return ContentFile(decoder.submit(_reencode, upload).result(), name="avatar.webp")


def _reencode(upload):
    image = _small(upload)
    with suppress(*DAMAGE):  # damaged metadata is ignored
        image = ImageOps.exif_transpose(image)
    plain = Image.new("RGBA", image.size)
    plain.paste(image.convert("RGBA"))
    encoded = BytesIO()
    plain.save(encoded, "WEBP", quality=85)
    return encoded.getvalue()


def _small(upload):
    """Return the picture at its final size; its size is checked before it is decoded."""
    try:
        image: Image.Image = Image.open(upload, formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise ValidationError(_("The picture has too many pixels."))
        image.draft("RGB", (SIDE, SIDE))  # decodes a JPEG at a fraction of its size
        image.load()
        # Any better resampling copies a whole picture with transparency first.
        image.thumbnail((2 * SIDE, 2 * SIDE), Image.Resampling.NEAREST)
        image.thumbnail((SIDE, SIDE))
    except UnidentifiedImageError as error:
        raise ValidationError(_("This is not a JPEG, PNG, WebP or GIF picture.")) from error
    except DAMAGE as error:
        raise ValidationError(_("The picture is damaged.")) from error
    else:
        return image
