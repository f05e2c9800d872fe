"""Accounts at the desk. Django asks for this module, and finds what these register."""

from accounts.admin import audit, people, sign_in

__all__ = ["audit", "people", "sign_in"]
