import socket
from threading import Event, Thread

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError, call_command

from accounts.models import User
from config.worker import work_until
from consultations.demo import SIGN_INS, make_clinic

ADDRESS = "127.0.0.1:8000"
HIGHEST_PORT = 65535

PAGES = {
    "API": "/",
    "API reference": "/api/docs/",
    "Administration": "/admin/",
    "Browse the API": "/api-auth/login/",
}


class Command(BaseCommand):
    help = "Creates the demo clinic and serves it, only with DEBUG=true: its passwords are public."

    def add_arguments(self, parser):
        parser.add_argument("addrport", nargs="?", default=ADDRESS, help="Default: %(default)s")
        parser.add_argument(
            "--no-server", action="store_true", help="Create the clinic without serving it."
        )

    def handle(self, *, addrport, no_server, **options):
        if not settings.DEBUG:
            raise CommandError("The demo has published passwords: it runs only with DEBUG=true.")
        host, port = read_address(addrport)
        if not no_server:
            check_port_is_free(host, port)
        call_command("migrate", verbosity=0, interactive=False)
        try:
            make_clinic()
        except ValidationError as error:
            reason = " ".join(error.messages)
            raise CommandError(
                f"The demo clinic cannot be created in this database ({reason}) Use an empty one."
            ) from error
        self.stdout.write(welcome(f"http://{join_address(host, port)}"))
        self.stdout.flush()  # before runserver writes to the same pipe
        if not no_server:
            Thread(target=work_until, args=[Event()], daemon=True).start()
            call_command("runserver", join_address(host, port), use_reloader=False)


def read_address(addrport):
    """Return (host, port) of "8000", "127.0.0.1:8000" or "[::1]:8000"."""
    host, _, port = addrport.rpartition(":")
    if not (port.isdecimal() and 0 < int(port) <= HIGHEST_PORT):
        raise CommandError(
            f"{addrport} is not an address. Give a port, or an address like {ADDRESS}."
        )
    return host.strip("[]") or "127.0.0.1", int(port)


def join_address(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_port_is_free(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise CommandError(
            f"Cannot serve at {join_address(host, port)}: {reason}. Stop that server, or choose "
            f"another port: python manage.py demo {join_address(host, port + 1)}"
        ) from error


def welcome(root):
    """Return the text that lists the pages and the accounts of the demo."""
    people = User.objects.in_bulk(SIGN_INS, field_name="username")
    accounts = [
        f"  {username:<16}{password:<20}{people[username].get_user_type_display():<9}"
        f"{people[username].specialization}".rstrip()
        for username, password in SIGN_INS.items()
    ]
    pages = [f"  {name:<16}{root}{path}" for name, path in PAGES.items()]
    return "\n".join(["The demo clinic is ready.", "", *pages, "", *accounts, ""])
