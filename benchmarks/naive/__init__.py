"""The appointment list, slots, profile and booking of a typical Django REST project for the same
README, on the same tables: shapes by ModelSerializer, no select_related, Django's own defaults.
"""
