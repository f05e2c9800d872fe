"""The site of the staff admin."""

from unfold.sites import UnfoldAdminSite

from config.admin.audited_pages import AuditedAutocompleteView


class ClinicAdminSite(UnfoldAdminSite):
    """unfold's site; its search boxes state for the audit what they show.

    The role decides who may enter (accounts.models.User.has_module_perms), not the staff flag.
    """

    def has_permission(self, request):
        return request.user.has_module_perms("admin")

    def autocomplete_view(self, request):
        return AuditedAutocompleteView.as_view(admin_site=self)(request)
