"""The verification of doctors' licences."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from accounts import closing
from accounts.audit import log as audit
from accounts.models import User
from config.db.transactions import atomic_with_retry
from config.db.versioning import check_version

# A licence is verified for a person with this name, number and specialization.
VERIFIED_FIELDS = ("medical_license_number", "first_name", "last_name", "specialization")


@atomic_with_retry
def verify_licence(doctor: User, *, if_version: AbstractSet[int] | None = None) -> User:
    """Record that an admin has verified the licence, so that the doctor can be booked.

    Raises ValidationError with the code `stale_version` where `if_version`, the version with the
    VERIFIED_FIELDS that the admin saw, is not the version of the account.
    """
    doctor = User.objects.select_for_update(no_key=True).get(pk=doctor.pk)
    closing.check_not_anonymised(doctor)
    check_version(doctor, if_version)
    if doctor.license_verified:
        return doctor
    doctor.license_verified = True
    doctor.save()
    audit.record_change("account.verify_licence", doctor, fields=["license_verified"])
    return doctor


def last_verified(doctor: User) -> Any:
    """Return the version of the account that was verified last, or None."""
    versions = User.history.filter(id=doctor.pk, license_verified=True)
    return versions.order_by("-history_date", "-history_id").first()


def must_verify_again(user: User, changes: Mapping[str, Any]) -> bool:
    """Return whether the changes are of VERIFIED_FIELDS or the role."""
    return any(
        name in changes and changes[name] != getattr(user, name)
        for name in (*VERIFIED_FIELDS, "user_type")
    )
