"""Acts that need the whole house: asking the loop or a strategy to run, taking a signal back."""

from datetime import date

from django.db.models import Max
from drf_spectacular.utils import extend_schema
from kombu.exceptions import OperationalError
from rest_framework import serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from quant_site.core import clock
from quant_site.core.errors import Conflict, DataMissing, InvalidInput, NotAllowed, Unavailable
from quant_site.core.idempotency import idempotent
from quant_site.core.models import Account
from quant_site.core.ratelimit import client_address
from quant_site.core.selectors import account_get
from quant_site.core.services import audit_record
from quant_site.core.types import Mode
from quant_site.core.views import row_get
from quant_site.loop import loop_lock
from quant_site.market.models import Instrument
from quant_site.market.selectors import panel_load
from quant_site.market.sessions import is_session, last_completed_session, trading_session
from quant_site.schedules import account_loop, signals_execute
from signals_app.api import SignalDetailSerializer
from signals_app.engine import SignalEngine
from signals_app.models import TradingSignal
from signals_app.services import signal_cancel
from signals_app.states import SignalStatus
from strategies.engine import StrategyEngine
from strategies.models import StrategyRun
from trading.brokers import broker_for
from trading.exposure.context import holdings_build, risk_context_build
from trading.order_path.executor import OrderExecutor
from trading.order_path.orders import order_cancel_request
from trading.order_path.states import OPEN
from trading.vocabulary import Purpose


class RunRequestSerializer(serializers.Serializer):
    account = serializers.CharField(max_length=64)
    session = serializers.DateField(required=False, help_text="Default: the last completed session.")


class LoopAnswerSerializer(serializers.Serializer):
    account = serializers.CharField()
    session = serializers.DateField()
    status = serializers.CharField(help_text="QUEUED: a worker takes it up; follow it at loop/runs/ or over the socket.")


class LoopRunNowView(APIView):
    """Ask a worker to run the loop of an account up to a session, missed ones first. What is done is not done again."""

    permission_classes = (IsAuthenticated,)

    @idempotent
    @extend_schema(request=RunRequestSerializer, responses={202: LoopAnswerSerializer}, tags=["loop"])
    def post(self, request):
        account, session = requested_run(request)
        _audit(request, "LOOP_RUN", account=account, details={"session": str(session)})
        # Queued before the key is kept: a queue that is down leaves no answer behind, and running twice changes nothing.
        try:
            account_loop.delay(account.pk, session.isoformat())
        except OperationalError as error:
            raise Unavailable("queue_down", "The queue takes nothing now; try again soon.") from error
        return Response({"account": account.pk, "session": session, "status": "QUEUED"}, status=status.HTTP_202_ACCEPTED)


class StrategyRunSerializer(serializers.ModelSerializer):
    strategy = serializers.CharField(source="strategy.key")
    account = serializers.CharField(source="account_id")
    params = serializers.DictField()
    drafts = serializers.ListField(child=serializers.DictField(), source="output")

    class Meta:
        model = StrategyRun
        fields = (
            "id",
            "strategy",
            "account",
            "session",
            "status",
            "params",
            "drafts",
            "abstain_reason",
            "error",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields


class StrategyRunNowView(APIView):
    """Run one strategy over a session and see what it proposes. Nothing is ordered; a session it has run stays as it is."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(request=RunRequestSerializer, responses=StrategyRunSerializer, tags=["strategies"])
    def post(self, request, pk: int):
        account, session = requested_run(request)
        holdings = holdings_build(account=account).get(pk, ())
        run = StrategyEngine().run_strategy(pk, account=account, session=session, holdings=holdings)
        _audit(request, "STRATEGY_RUN", account=account, resource=run, details={"session": str(session)})
        return Response(StrategyRunSerializer(run).data)


class SignalCancelView(APIView):
    """Take a signal back. Orders that are out are asked to be cancelled; what was filled before that stands."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(request=None, responses=SignalDetailSerializer, tags=["signals"])
    def post(self, request, pk: int):
        signal = row_get(TradingSignal.objects.select_related("strategy", "account"), user=request.user, pk=pk, trade=True)
        if signal.signal_status == SignalStatus.EXECUTING and signal.account.mode == Mode.REAL:
            # No web process calls a real broker: the wish is written down, and whoever sends asks for it.
            for order in signal.orders.filter(status__in=OPEN, purpose=Purpose.ENTRY).order_by("pk"):
                order_cancel_request(order=order, actor=request.user, reason="SIGNAL_CANCELLED", ip_address=client_address(request))
        elif signal.signal_status == SignalStatus.EXECUTING:
            self._call_back(request, signal)
        elif signal.signal_status != SignalStatus.CANCELLED:
            signal_cancel(signal=signal, actor=request.user)
        return Response(SignalDetailSerializer(signal).data)

    def _call_back(self, request, signal: TradingSignal) -> None:
        """Talks to the broker, so it runs outside any transaction, and alone on the account."""
        account, panel = signal.account, panel_load()
        with loop_lock(account):
            signal.refresh_from_db()
            _audit(request, "SIGNAL_CANCEL", account=account, resource=signal)
            OrderExecutor(account, broker_for(account, panel), signal.session, panel).cancel_signal(signal)


class SignalValidateView(APIView):
    """Check a pending signal again, as the account stands now: it becomes VALIDATED or REJECTED."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(request=None, responses=SignalDetailSerializer, tags=["signals"])
    def post(self, request, pk: int):
        signal = row_get(TradingSignal.objects.select_related("strategy", "account"), user=request.user, pk=pk, trade=True)
        account = signal.account
        if signal.signal_status != SignalStatus.PENDING:
            raise Conflict("not_pending", f"Signal {pk} is {signal.signal_status}: only a pending one is checked.")
        with loop_lock(account):
            through = trading_session(clock.now()) if account.mode == Mode.REAL else None
            context = risk_context_build(account=account, session=signal.session, panel=panel_load(), through=through)
            SignalEngine(account).validate_signal(signal, context)
            _audit(request, "SIGNAL_VALIDATE", account=account, resource=signal, details={"status": str(signal.signal_status)})
        return Response(SignalDetailSerializer(signal).data)


class ExecuteRequestSerializer(serializers.Serializer):
    account = serializers.CharField(max_length=64)
    signals = serializers.ListField(child=serializers.IntegerField(), required=False, help_text="Default: every validated one.")


class ExecuteAnswerSerializer(serializers.Serializer):
    account = serializers.CharField()
    signals = serializers.ListField(child=serializers.IntegerField(), help_text="Validated signals that a worker takes up.")


class SignalsExecuteView(APIView):
    """Ask a worker to execute validated signals: their orders pass the gate like any other, and none is made twice."""

    permission_classes = (IsAuthenticated,)

    @idempotent
    @extend_schema(request=ExecuteRequestSerializer, responses={202: ExecuteAnswerSerializer}, tags=["signals"])
    def post(self, request):
        body = ExecuteRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        account = account_get(user=request.user, account_id=body.validated_data["account"], trade=True)
        if account.is_replay:
            raise NotAllowed("replay_account", f"Account {account.pk} belongs to a replay: nothing is executed on it by hand.")
        rows = TradingSignal.objects.filter(account=account, signal_status=SignalStatus.VALIDATED).order_by("pk")
        if "signals" in body.validated_data:
            rows = rows.filter(pk__in=body.validated_data["signals"])
        ids = list(rows.values_list("pk", flat=True))
        _audit(request, "SIGNALS_EXECUTE", account=account, details={"signals": ids})
        try:
            signals_execute.delay(account.pk, ids)
        except OperationalError as error:
            raise Unavailable("queue_down", "The queue takes nothing now; try again soon.") from error
        return Response({"account": account.pk, "signals": ids}, status=status.HTTP_202_ACCEPTED)


def requested_run(request) -> tuple[Account, date]:
    """The account and the session of a run somebody asks for, checked before anything starts."""
    body = RunRequestSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    account = account_get(user=request.user, account_id=body.validated_data["account"], trade=True)
    if account.is_replay:
        raise NotAllowed("replay_account", f"Account {account.pk} belongs to a replay: it never runs on the live clock.")
    return account, session_require(body.validated_data.get("session"))


def _audit(request, action: str, **entry) -> None:
    agent = request.headers.get("User-Agent", "")
    audit_record(action=action, actor=request.user, ip_address=client_address(request), user_agent=agent, **entry)


def session_require(session: date | None) -> date:
    """The session the loop can run up to (default: the last completed one); raises when it is none, or has no bars yet."""
    last = last_completed_session(clock.now())
    session = session or last
    if session > last or not is_session(session):
        raise InvalidInput("not_a_completed_session", f"{session} is not a completed session; the last one is {last}.")
    data_until = Instrument.objects.filter(tradable=True).aggregate(last=Max("last_session"))["last"]
    if data_until is None or data_until < session:
        known = f"end at {data_until}" if data_until else "are not stored yet"
        raise DataMissing("no_bars", f"Bars {known}: import those up to {session} first (manage.py import_bars).")
    return session
