"""The audit log and its hash chain. Rows are only inserted, never changed or deleted.

No row refers to a user or a record by a foreign key, because the log outlives both.
"""

from django.db import models
from django.db.models import F, Func, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Concat, NullIf, Trim
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.user import User
from accounts.roles import UserType
from config.db.querysets import ALL_ROWS, ScopedQuerySet


class Action(models.TextChoices):
    """The actions of FHIR's AuditEvent and IHE's BALP."""

    CREATE = "C", _("Create")
    READ = "R", _("Read")
    UPDATE = "U", _("Update")
    DELETE = "D", _("Delete")
    EXECUTE = "E", _("Execute")


class Outcome(models.TextChoices):
    SUCCESS = "success", _("Success")
    REFUSED = "refused", _("Refused")


class JSONArrayContains(Func):
    """Whether a JSON list of numbers contains a number."""

    arity = 2
    output_field = models.BooleanField()

    def as_sqlite(self, compiler, connection, **context):
        (numbers, _), (number, params) = map(compiler.compile, self.get_source_expressions())
        return f"{number} IN (SELECT value FROM json_each({numbers}))", params  # noqa: S608  # nosec B608

    def as_postgresql(self, compiler, connection, **context):
        (numbers, _), (number, params) = map(compiler.compile, self.get_source_expressions())
        return f"{numbers} @> jsonb_build_array({number}::bigint)", params


def about_own_record(user):
    """Those about them."""
    return _about(user.pk)


def _about(patient):
    return Q(JSONArrayContains(F("patients"), Value(patient)))


class AuditEventQuerySet(ScopedQuerySet):
    readable_rows = {UserType.PATIENT: about_own_record, UserType.ADMIN: ALL_ROWS}
    writable_rows = {}

    def about(self, patient):
        """Return the events about the patient with this id."""
        return self.filter(_about(patient))

    def accesses(self):
        """Return the events that changed or showed records, with the refusals that told of them."""
        return self.filter(Q(outcome=Outcome.SUCCESS) | Q(action=Action.READ))

    def with_actor_name(self):
        """Add `actor_name`, the current name of the user whose id the event stores."""
        full_name = Concat("first_name", Value(" "), "last_name", output_field=models.CharField())
        name = Coalesce(
            NullIf(Trim(full_name), Value("")), "username", output_field=models.CharField()
        )
        person = User.objects.filter(pk=OuterRef("actor")).order_by().values(name=name)
        return self.annotate(actor_name=Subquery(person))


class AuditEvent(models.Model):
    """An action on records that succeeded or was refused. It contains no value of a record.

    `accounts.audit` writes the events. `records` are references such as "appointment/7"; `patients`
    are the ids of the patients whom the records are about. A refusal names patients only if its
    answer told something of them; the ids that a refused request tried are in `records` alone.
    """

    at = models.DateTimeField(default=timezone.now)
    actor = models.BigIntegerField(null=True)
    role = models.CharField(max_length=20, blank=True)
    session = models.CharField(max_length=36, blank=True)
    action = models.CharField(max_length=1, choices=Action)
    event = models.CharField(max_length=80)
    records = models.JSONField(default=list)
    patients = models.JSONField(default=list)
    changed = models.JSONField(
        default=list, help_text=_("Names of the fields, never their values.")
    )
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.SUCCESS)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=39, blank=True)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [  # a migration adds an index of `patients` on PostgreSQL
            models.Index(fields=["actor", "id"], name="audit_of_actor"),
            models.Index(fields=["at", "id"], name="audit_by_time"),
        ]

    def __str__(self):
        return f"{self.event}, {self.at:%Y-%m-%d %H:%M}"


class AuditSeal(models.Model):
    """A link of the hash chain over the events (accounts.audit.hash_chain).

    If earlier events were archived, the first remaining link represents them: it has no event, but
    a `proof`. A link that ends a run of seal_audit has the number of its `checkpoint`; the number
    is 0 if no checkpoints are kept.
    """

    n = models.BigIntegerField(primary_key=True)
    event = models.BigIntegerField(unique=True, null=True)
    hash = models.CharField(max_length=64)
    proof = models.CharField(max_length=64, blank=True)
    checkpoint = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["n"]

    def __str__(self):
        return f"Link {self.n}"
