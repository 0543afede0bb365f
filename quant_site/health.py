"""Whether everything that must be up is up: for a load balancer, and for a person who looks closer."""

import time

from celery import current_app
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.models import Max
from django.http import JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from quant_site.core import clock
from quant_site.core.endpoints import LoopRunSerializer
from quant_site.core.models import LoopRun
from quant_site.core.views import of_user
from quant_site.market.models import Instrument
from quant_site.market.sessions import last_completed_session
from quant_site.schedules import HEARTBEAT_KEY

HEARTBEAT_LATE_AFTER = 180  # seconds; it beats each minute


class CheckSerializer(serializers.Serializer):
    ok = serializers.BooleanField()
    milliseconds = serializers.FloatField(required=False)
    detail = serializers.CharField(allow_blank=True)


class ChecksSerializer(serializers.Serializer):
    database = CheckSerializer()
    cache = CheckSerializer()
    queue = CheckSerializer()
    worker = CheckSerializer()


class DataSerializer(serializers.Serializer):
    instruments = serializers.IntegerField()
    as_of = serializers.DateField(allow_null=True, help_text="Latest session with bars of something tradable.")
    expected = serializers.DateField(help_text="The last completed session.")


class HealthSerializer(serializers.Serializer):
    status = serializers.ChoiceField(choices=("ok", "degraded"))
    at = serializers.DateTimeField()
    checks = ChecksSerializer()
    data = DataSerializer()
    last_loop_run = LoopRunSerializer(allow_null=True, help_text="The latest pass over any account of yours.")


class MonitoringHealthView(APIView):
    """Database, cache, queue and worker; how fresh the data is; when the loop ran last."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=HealthSerializer, tags=["monitoring"])
    def get(self, request):
        checks = {"database": _check(_database), "cache": _check(_cache), "queue": _check(_queue), "worker": _check(_worker)}
        last_run = of_user(LoopRun.objects.order_by("-finished_at", "-id"), request.user).first()
        answer = {
            "status": "ok" if all(check["ok"] for check in checks.values()) else "degraded",
            "at": clock.now(),
            "checks": checks,
            "data": {
                "instruments": Instrument.objects.count(),
                "as_of": Instrument.objects.filter(tradable=True).aggregate(last=Max("last_session"))["last"],
                "expected": last_completed_session(clock.now()),
            },
            "last_loop_run": last_run,
        }
        return Response(HealthSerializer(answer).data)


def health(request):
    """For a load balancer: 200 while this process serves and reaches its database. It tells nothing else."""
    try:
        _database()
    except DatabaseError:
        return JsonResponse({"status": "down"}, status=503)
    return JsonResponse({"status": "ok"})


def _check(probe) -> dict:
    """Run one probe: it returns (ok, detail), and what it raises is what is wrong."""
    started = time.monotonic()
    try:
        ok, detail = probe()
    except Exception as error:  # noqa: BLE001 (whatever a server that is down raises is the finding)
        ok, detail = False, f"{type(error).__name__}: {error}"[:200]
    return {"ok": ok, "milliseconds": round((time.monotonic() - started) * 1000, 1), "detail": detail}


def _database() -> tuple[bool, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone() == (1,), connection.vendor


def _cache() -> tuple[bool, str]:
    cache.set("health.probe", 1, timeout=10)
    return cache.get("health.probe") == 1, ""


def _queue() -> tuple[bool, str]:
    """How many messages wait. The embedded queue and Redis both know."""
    with current_app.connection_for_write() as broker:
        waiting = broker.default_channel.queue_declare(queue=current_app.conf.task_default_queue, passive=True).message_count
    return True, f"{waiting} waiting"


def _worker() -> tuple[bool, str]:
    beat = cache.get(HEARTBEAT_KEY)
    if beat is None:
        return False, "no heartbeat yet: scheduler, queue or worker is not running"
    age = (clock.now() - beat).total_seconds()
    return age < HEARTBEAT_LATE_AFTER, f"last heartbeat {age:.0f} s ago"
