from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self):
        # These import models, which must be loaded first.
        from accounts.admin.users import tell_of_a_lost_address  # noqa: PLC0415
        from accounts.audit import append_only, middleware  # noqa: PLC0415

        post_migrate.connect(append_only.install_after_migrate, sender=self)
        user_logged_in.connect(middleware.on_login)
        user_logged_in.connect(tell_of_a_lost_address)
        user_logged_out.connect(middleware.on_logout)
        user_login_failed.connect(middleware.on_login_failed)
