"""Django's PostgreSQL, with less to do for each request and each moment."""

from datetime import timezone
from select import POLLIN, poll
from time import monotonic

from django.db.backends.postgresql import base
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

TRUSTED_FOR = 5  # seconds, in which no firewall forgets a connection


class DatabaseWrapper(base.DatabaseWrapper):
    trusted_until = 0

    def is_usable(self):
        """Asks the server, as Django does for each request, only where there is a reason to.

        A server that ends a connection says so, and so does the kernel where there is nobody any
        more: either can be read from the socket. While that is silent, nothing has gone wrong and
        the connection was good a moment ago, it is.
        """
        if self.connection is None:
            return False
        is_idle = self.connection.get_transaction_status() == TRANSACTION_STATUS_IDLE
        is_trusted = is_idle and not self.errors_occurred and monotonic() < self.trusted_until
        is_usable = (is_trusted and self._is_silent()) or super().is_usable()
        if is_usable:
            self.trusted_until = monotonic() + TRUSTED_FOR
        return is_usable

    def create_cursor(self, name=None):
        cursor = super().create_cursor(name)
        # It is UTC that the server says; Django has a function called for each moment to say so.
        cursor.tzinfo_factory = timezone
        return cursor

    def _is_silent(self):
        socket = poll()
        socket.register(self.connection, POLLIN)  # of which hanging up is told as well
        return not socket.poll(0)
