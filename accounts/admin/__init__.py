"""Accounts at the desk. Django asks for this module, and finds what the two register."""

from accounts.admin import people, sign_in

__all__ = ["people", "sign_in"]
