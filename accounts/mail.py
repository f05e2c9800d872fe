"""Sends e-mail after the commit in a background thread.

The response time does not reveal whether an e-mail was sent, and an unavailable mail server neither
delays nor fails the request.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from smtplib import SMTPException

from django.core.mail import EmailMessage
from django.db import transaction

logger = logging.getLogger(__name__)

mail_executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")


def send_after_commit(*, to, subject, body):
    message = EmailMessage(subject=subject, body=body, to=[to])
    context = copy_context()  # keeps the request id for the log
    transaction.on_commit(lambda: mail_executor.submit(context.run, _deliver, message))


def _deliver(message):
    try:
        message.send()
    except (OSError, SMTPException):
        logger.exception("An e-mail could not be sent")
