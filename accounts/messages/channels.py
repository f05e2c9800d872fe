"""How a letter leaves the clinic: one function for each channel."""

from collections.abc import Callable

from django.core.mail import EmailMessage

from accounts.messages.templates import Letter
from accounts.models.message import Channel


def send_email(letter: Letter) -> None:
    EmailMessage(subject=letter.subject, body=letter.body, to=[letter.to]).send()


CHANNELS: dict[str, Callable[[Letter], None]] = {Channel.EMAIL: send_email}
