"""The proxy model of doctors, and the condition that a doctor can be booked."""

from typing import ClassVar

from django.conf import settings
from django.db.models import Q

from accounts.models.managers import UserManager
from accounts.models.user import User
from accounts.roles import EVERYONE, UNVERIFIED, UserType
from config.db.querysets import ScopedQuerySet


def bookable(verification_required=None):
    """Return the condition that a doctor can be booked.

    `verification_required` defaults to the setting DOCTOR_VERIFICATION_REQUIRED.
    """
    condition = Q(is_active=True)
    if verification_required is None:
        verification_required = settings.DOCTOR_VERIFICATION_REQUIRED
    if verification_required:
        condition &= Q(license_verified=True)
    return condition


def bookable_doctors(user):
    """Those who can be booked."""
    return bookable()


def active_doctors(user):
    """All who are active."""
    return Q(is_active=True)


class DoctorQuerySet(ScopedQuerySet):
    """All users see bookable doctors. A request body may name oneself, or for admins any doctor."""

    readable_rows = dict.fromkeys([*EVERYONE, UNVERIFIED], bookable_doctors)
    writable_rows = {
        UserType.DOCTOR: "pk",
        UNVERIFIED: "pk",
        UserType.ADMIN: active_doctors,
    }

    def bookable(self):
        return self.filter(bookable())

    def not_bookable(self, verification_required=None):
        return self.exclude(bookable(verification_required))


class DoctorManager(UserManager.from_queryset(DoctorQuerySet)):  # type: ignore[misc]  # made at run time
    def get_queryset(self):
        return super().get_queryset().filter(user_type=UserType.DOCTOR)


class Doctor(User):
    subject_id = None  # not about a patient

    objects: ClassVar[DoctorManager] = DoctorManager()

    class Meta:
        proxy = True

    def __str__(self):
        name = f"Dr. {self.full_name.removeprefix('Dr. ')}"
        return f"{name}, {self.specialization}" if self.specialization else name
