from django.apps import AppConfig

# Importing them is what matters: the queue's application must exist before a task is sent, the checks before they run.
from quant_site import celery, checks

__all__ = ["QuantSiteConfig", "celery", "checks"]


class QuantSiteConfig(AppConfig):
    name = "quant_site"
    verbose_name = "Quant site"
