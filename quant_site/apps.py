from django.apps import AppConfig


class QuantSiteConfig(AppConfig):
    name = "quant_site"
    verbose_name = "Quant site"
