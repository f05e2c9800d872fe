"""The site of the staff admin."""

from functools import wraps

from django.core.exceptions import BadRequest
from django.core.paginator import InvalidPage
from django.http import HttpResponseRedirect
from django.urls import reverse
from unfold.sites import UnfoldAdminSite

from config.admin.audited_pages import AuditedAutocompleteView
from config.admin.parameters import refuse_null_characters


class ClinicAdminSite(UnfoldAdminSite):
    """unfold's site; it refuses unreadable addresses, and states for the audit what it offers.

    The role decides who may enter (accounts.models.User.has_module_perms), not the staff flag.
    """

    def has_permission(self, request):
        return request.user.has_module_perms("admin")

    def admin_view(self, view, cacheable=False):
        @wraps(view)
        def checked(request, *args, **kwargs):
            refuse_null_characters(request)
            if getattr(request.user, "must_change_password", False):
                own_password = reverse("admin:password_change")
                if request.path not in {own_password, reverse("admin:logout")}:
                    return HttpResponseRedirect(own_password)
            return view(request, *args, **kwargs)

        return super().admin_view(checked, cacheable)

    def get_urls(self):
        """The addresses, without a redirect to the public page of a record: no record has one."""
        return [url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"]

    def autocomplete_view(self, request):
        return AuditedAutocompleteView.as_view(admin_site=self)(request)

    def search(self, request, extra_context=None):
        try:
            return super().search(request, extra_context)
        except InvalidPage as error:
            raise BadRequest("The search has no such page.") from error
