"""The password hasher. Old PBKDF2 hashes are still valid and are upgraded at the next sign-in."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class ClinicArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with more than OWASP's minimum cost: 50 to 100 ms of one core per password check.

    Each check needs 46 MiB of memory, and each thread may run one. Changed parameters take effect
    at each user's next sign-in.
    """

    time_cost = 2
    memory_cost = 46 * 1024  # KiB
    parallelism = 1
