"""Who did what to which record, and the chain that seals it. Rows are added, and nothing else.

No row here refers to a person or a record by a foreign key: what was written down outlives both.
"""

from django.db import models
from django.db.models import F, Func, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Concat, NullIf, Trim
from django.utils import timezone

from accounts.models.user import User
from accounts.roles import UserType
from config.db.querysets import ALL_ROWS, ScopedQuerySet


class Action(models.TextChoices):
    """As FHIR's AuditEvent and IHE's BALP name them."""

    CREATE = "C"
    READ = "R"
    UPDATE = "U"
    DELETE = "D"
    EXECUTE = "E"


class Outcome(models.TextChoices):
    SUCCESS = "success"
    REFUSED = "refused"


class JSONArrayContains(Func):
    """Whether a JSON list of numbers holds a number."""

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
    owners = {UserType.PATIENT: about_own_record, UserType.ADMIN: ALL_ROWS}
    writers = {}

    def about(self, patient):
        """Those that concern the patient of that id."""
        return self.filter(_about(patient))

    def with_actor_name(self):
        """Adds `actor_name`, as it is today; what was written down is the number."""
        name = Coalesce(
            NullIf(Trim(Concat("first_name", Value(" "), "last_name")), Value("")), "username"
        )
        person = User.objects.filter(pk=OuterRef("actor")).order_by().values(name=name)
        return self.annotate(actor_name=Subquery(person))


class AuditEvent(models.Model):
    """One thing that was done, or refused. Ids and names of fields, never a word of a record.

    Written by `accounts.audit`. `records` are references as in "appointment/7", `patients` the ids
    of those they are about.
    """

    at = models.DateTimeField(default=timezone.now)
    actor = models.BigIntegerField(null=True)
    role = models.CharField(max_length=20, blank=True)
    session = models.CharField(max_length=36, blank=True)
    action = models.CharField(max_length=1, choices=Action)
    event = models.CharField(max_length=80)
    records = models.JSONField(default=list)
    patients = models.JSONField(default=list)
    changed = models.JSONField(default=list, help_text="Names of the fields, never their values.")
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.SUCCESS)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=39, blank=True)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [  # and patients, which a migration indexes on PostgreSQL
            models.Index(fields=["actor", "id"], name="audit_of_actor"),
            models.Index(fields=["at", "id"], name="audit_by_time"),
        ]

    def __str__(self):
        return f"{self.event}, {self.at:%Y-%m-%d %H:%M}"


class AuditSeal(models.Model):
    """A link of the chain over the events: see `accounts.audit.hash_chain`.

    Where the events before it were archived, the first link left stands for them: it has no event
    any more, and a `proof`.
    """

    n = models.BigIntegerField(primary_key=True)
    event = models.BigIntegerField(unique=True, null=True)
    hash = models.CharField(max_length=64)
    proof = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["n"]

    def __str__(self):
        return f"Seal {self.n}"
