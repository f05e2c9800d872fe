from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone


class User(AbstractUser):
    date_joined = None
    groups = user_permissions = None
    user_type = models.CharField(max_length=10)
    phone = models.CharField(max_length=32, blank=True)
    date_of_birth = models.DateField(null=True, blank=True)
    address = models.TextField(blank=True)
    medical_license_number = models.CharField(max_length=50, blank=True)
    specialization = models.CharField(max_length=100, blank=True)
    medical_history = models.TextField(blank=True)
    allergies = models.TextField(blank=True)
    emergency_contact = models.CharField(max_length=150, blank=True)

    class Meta:
        db_table = "accounts_user"
        managed = False


class TimeSlot(models.Model):
    doctor = models.ForeignKey(User, models.CASCADE)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        db_table = "appointments_timeslot"
        managed = False


class Appointment(models.Model):
    patient = models.ForeignKey(User, models.CASCADE, related_name="patient_appointments")
    doctor = models.ForeignKey(User, models.CASCADE, related_name="doctor_appointments")
    time_slot = models.ForeignKey(TimeSlot, models.CASCADE, related_name="appointments")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    status = models.CharField(max_length=20, default="scheduled")
    consultation_type = models.CharField(max_length=20, default="general")
    priority = models.CharField(max_length=10, default="medium")
    reason_for_visit = models.TextField()
    symptoms = models.TextField(blank=True)
    contact_phone = models.CharField(max_length=32, blank=True)
    patient_notes = models.TextField(blank=True)
    doctor_notes = models.TextField(blank=True)
    booked_by = models.ForeignKey(User, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "appointments_appointment"
        managed = False


class AppointmentHistory(models.Model):
    appointment = models.ForeignKey(Appointment, models.CASCADE)
    action = models.CharField(max_length=20)
    from_status = models.CharField(max_length=20, blank=True)
    to_status = models.CharField(max_length=20)
    to_starts_at = models.DateTimeField()
    changes = models.JSONField(default=list)
    reason = models.TextField(blank=True)
    changed_by = models.ForeignKey(User, models.CASCADE)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "appointments_appointmenthistory"
        managed = False
