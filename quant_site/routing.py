"""WebSocket routes. The origin is checked before anything else: a foreign page must not ride on a user's cookie."""

from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
from django.urls import path, re_path

from quant_site.core.stream.application import stream

websockets = AllowedHostsOriginValidator(
    URLRouter(
        [
            path("ws/stream/", stream),
            re_path("", WebsocketDenier.as_asgi()),  # without it an unknown path is a traceback
        ]
    )
)
