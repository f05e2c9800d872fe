"""Accounts at the desk. Django asks for this module, and finds what these register."""

from accounts.admin import audit, sessions, users

__all__ = ["audit", "sessions", "users"]
