"""A typical Django REST project on the same tables: appointments, slots, profile and booking.

The project uses ModelSerializer, no select_related, and Django's default settings.
"""
