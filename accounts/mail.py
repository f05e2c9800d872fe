"""Letters leave after the commit, in a thread of their own.

So an answer takes the same time whether a letter goes out or not, and a dead mail server is a line
in the log, never an error or a wait for the caller.
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
    context = copy_context()  # the request's id, should there be something to log
    transaction.on_commit(lambda: mail_executor.submit(context.run, _deliver, message))


def _deliver(message):
    try:
        message.send()
    except (OSError, SMTPException):
        logger.exception("A letter could not be sent")
