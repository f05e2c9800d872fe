"""How passwords are hashed. Old PBKDF2 hashes still verify and are renewed at the next sign-in."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class ClinicArgon2Hasher(Argon2PasswordHasher):
    """Argon2id, above OWASP's floor: 50 to 100 ms of one core for each look at a password.

    46 MiB each: a server that checks as many at once as it has threads must have room for them.
    Another cost takes effect at each person's next sign-in.
    """

    time_cost = 2
    memory_cost = 46 * 1024  # KiB
    parallelism = 1
