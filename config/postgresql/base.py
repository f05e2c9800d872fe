"""Django's PostgreSQL, which finds out without a round trip whether the server is still there."""

from select import POLLIN, poll

from django.db.backends.postgresql import base
from psycopg2.extensions import TRANSACTION_STATUS_IDLE


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self):
        """Asks the server, as Django does for each request, only where there is a reason to.

        A server that ends a connection says so, and so does the kernel where there is nobody any
        more: either can be read from the socket. While that is silent and nothing has gone wrong,
        nothing has happened to the connection. A server that is cut off without a word is not
        noticed; then the statement fails that comes next, as it would have after a look, too.
        """
        if self.connection is None or self.connection.closed:
            return False
        is_idle = self.connection.get_transaction_status() == TRANSACTION_STATUS_IDLE
        if is_idle and not self.errors_occurred and self._is_silent():
            return True
        return super().is_usable()

    def _is_silent(self):
        socket = poll()
        socket.register(self.connection, POLLIN)  # of which hanging up is told as well
        return not socket.poll(0)
