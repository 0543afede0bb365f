"""Providers of market data, by name. A new one is a module beside these with a class of `base.BarProvider`, and a line here."""

from quant_site.market.providers.bundled import BundledProvider
from quant_site.market.providers.folder import FolderProvider

PROVIDERS = {
    "bundled": BundledProvider,
    "folder": FolderProvider,
}
