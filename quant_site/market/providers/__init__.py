"""Providers of market data, by name. A new one is a module beside these with a class of `base.BarProvider`, and a line here.

They are named and not imported: arithmetic that needs one module of this package must not load a vendor's SDK with it.
"""

from pkgutil import resolve_name

from quant_site.core.errors import InvalidInput

PROVIDERS = {
    "bundled": "quant_site.market.providers.bundled:BundledProvider",
    "folder": "quant_site.market.providers.folder:FolderProvider",
    "tiger": "quant_site.market.providers.tiger:TigerProvider",
}


def provider_class(name: str) -> type:
    """The class of the provider `name`; raises `InvalidInput` where there is none."""
    if name not in PROVIDERS:
        raise InvalidInput("unknown_provider", f"There is no provider {name!r}: there are {', '.join(PROVIDERS)}.", provider=name)
    return resolve_name(PROVIDERS[name])
