from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    name = "quant_site.core"
    label = "core"
    verbose_name = _("Accounts and records")

    def ready(self):
        import_module("quant_site.core.schema")  # how the OpenAPI page knows our tokens
