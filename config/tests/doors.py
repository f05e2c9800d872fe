"""Every door of the API, read off the URL conf: (address, view class, {method: action})."""

from typing import NamedTuple

from django.urls import get_resolver
from django.urls.resolvers import URLResolver


class Door(NamedTuple):
    address: str  # as /api/appointments/{pk}/cancel/
    view: type
    actions: dict

    @property
    def is_canonical(self):
        return "/api/" not in self.address.removeprefix("/api")


def every_door():
    """The doors of the viewsets, at both mounts."""
    return [
        Door(address, callback.cls, callback.actions)
        for address, callback in _patterns(get_resolver(), "/")
        if getattr(callback, "actions", None)
    ]


def _patterns(resolver, prefix):
    for pattern in resolver.url_patterns:
        address = prefix + _readable(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern, address)
        else:
            yield address, pattern.callback


def _readable(pattern):
    text = pattern.removeprefix("^").removesuffix("$").removesuffix(r"\Z")
    while "(?P<" in text:
        start = text.index("(?P<")
        name_end = text.index(">", start)
        end = text.index(")", name_end)
        text = f"{text[:start]}{{{text[start + 4 : name_end]}}}{text[end + 1 :]}"
    return text


def door_names(doors):
    """A mapping from (method, address) to (view name, action)."""
    return {
        (method.upper(), door.address): (door.view.__name__, action)
        for door in doors
        for method, action in door.actions.items()
        if method != "head"
    }


def address_of(door, clinic):
    """The door's address, at a record of Jane's that is there."""
    consultation = clinic.consultation
    records = {
        "/appointments/": clinic.appointment,
        "/time-slots/": clinic.free,
        "/doctors/": clinic.house,
        "/patients/": clinic.jane,
        "/vital-signs/": consultation.vital_signs.first(),
        "/prescriptions/": consultation.prescriptions.first(),
        "/notes/": consultation.notes.first(),
        "/consultations/": consultation,
    }
    record = next((one for part, one in records.items() if part in door.address), clinic.jane)
    return door.address.format(pk=record.pk, patient=clinic.jane.pk, consultation=consultation.pk)
