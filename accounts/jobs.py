"""The background jobs of accounts. See config.worker."""

from accounts.messages import outbox

JOBS = [outbox.deliver_next]
