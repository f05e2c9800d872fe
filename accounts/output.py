"""The JSON objects of users. A row of a prepared query and an instance give the same object."""

from django.core.files.storage import default_storage
from django.utils import timezone


def user_output(fields, request):
    """Return a function of a user, or of a row with the same attributes, that reads `fields`."""
    zone = timezone.get_current_timezone()

    def output(user):
        data = {name: getattr(user, name) for name in fields}
        if "avatar" in data:
            data["avatar"] = avatar_url(user.avatar, request)
        for name in ("created_at", "updated_at"):
            data[name] = data[name].astimezone(zone)
        return data

    return output


def avatar_url(avatar, request):
    """Return the absolute URL of a picture, or None without one."""
    if not avatar:
        return None
    url = default_storage.url(str(avatar))
    return request.build_absolute_uri(url) if request else url
