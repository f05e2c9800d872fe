"""The staff admin of accounts. Django imports this module, and with it the registrations."""

from accounts.admin import audit, sessions, users

__all__ = ["audit", "sessions", "users"]
