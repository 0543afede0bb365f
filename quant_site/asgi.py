"""The web process: pages and REST through Django, `/ws/stream/` beside it."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quant_site.settings")
http = get_asgi_application()  # sets Django up; what follows needs its models

from quant_site.checks import configuration_require  # noqa: E402
from quant_site.routing import websockets  # noqa: E402

configuration_require()
application = ProtocolTypeRouter({"http": http, "websocket": websockets})
