"""`Idempotency-Key`: an unsafe request that is sent again is answered again, not done again.

The key, what the request did and its answer commit in one transaction: after a crash either all of them are there or
none is. What such a request does outside the database must therefore be harmless when it is done twice.
"""

import hashlib
import json
from datetime import timedelta
from functools import wraps

from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from quant_site.core import clock
from quant_site.core.errors import Conflict, InvalidInput
from quant_site.core.models import IdempotencyKey

HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(days=2)
_PARAMETER = OpenApiParameter(
    HEADER, str, OpenApiParameter.HEADER, description="Any text of up to 128 characters; the same request under it is done once."
)


def idempotent(method):
    """Decorate a method of an API view that changes something. Without the header it runs as it is.

    The same key with another request is a `Conflict`; only answers that were given (not errors) are kept.
    """

    @wraps(method)
    def run_once(self, request, *args, **kwargs):
        key = request.headers.get(HEADER)
        if key is None:
            return method(self, request, *args, **kwargs)
        if not 0 < len(key) <= 128:
            raise InvalidInput("invalid_idempotency_key", f"{HEADER} must have 1 to 128 characters.")
        wanted = {"request": f"{request.method} {request.path}"[:255], "body_hash": _body_hash(request.data)}
        with transaction.atomic():
            row, made = _row(user=request.user, key=key, wanted=wanted)
            if not made:
                return _replay(row, wanted)
            response = method(self, request, *args, **kwargs)
            row.status, row.response = response.status_code, _plain(response.data)
            row.save(update_fields=["status", "response"])
            return response

    return extend_schema(parameters=[_PARAMETER])(run_once)


def _row(*, user, key: str, wanted: dict) -> tuple[IdempotencyKey, bool]:
    """The row of this key, made now or before. A second request with the key waits here for the first to commit."""
    IdempotencyKey.objects.filter(created_at__lt=clock.now() - KEPT_FOR).delete()
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(user=user, key=key, **wanted), True
    except IntegrityError:
        return IdempotencyKey.objects.get(user=user, key=key), False


def _replay(row: IdempotencyKey, wanted: dict) -> Response:
    if (row.request, row.body_hash) != (wanted["request"], wanted["body_hash"]):
        raise Conflict("idempotency_key_reused", f"This {HEADER} came before with another request; take a new one.", request=row.request)
    return Response(row.response, status=row.status, headers={"Idempotency-Replayed": "true"})


def _body_hash(data) -> str:
    return hashlib.sha256(json.dumps(_plain(data), sort_keys=True).encode()).hexdigest()


def _plain(data):
    return json.loads(json.dumps(data, cls=DjangoJSONEncoder))
