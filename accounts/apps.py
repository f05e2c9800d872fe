from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self):
        # Models must be loaded before these can be.
        from accounts import append_only, trail  # noqa: PLC0415

        post_migrate.connect(append_only.install_after_migrate, sender=self)
        user_logged_in.connect(trail.signed_in)
        user_logged_out.connect(trail.signed_out)
        user_login_failed.connect(trail.failed_to_sign_in)
