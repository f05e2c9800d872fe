"""The staff admin of accounts. Django imports this module, and with it the registrations."""

from accounts.admin import audit, messages, sessions, users

__all__ = ["audit", "messages", "sessions", "users"]
