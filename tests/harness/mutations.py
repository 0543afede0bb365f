"""Ways to break the order path, as replacements of source text. Each takes one of its safeguards away.

`old` must stand in the file exactly once: a mutant that no longer fits is reported, for it proves nothing.
"""

# ruff: noqa: E501 (what is replaced stands as it is in the source)

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """`what` says which safeguard is gone."""

    name: str
    what: str
    edits: tuple[Edit, ...]


ORDERS, ROWS, EVIDENCE = "trading/order_path/orders.py", "trading/order_path/rows.py", "trading/order_path/evidence.py"
GATE, STEP, STATES = "trading/order_path/gate.py", "trading/order_path/send_step.py", "trading/order_path/states.py"
RECONCILIATION, ADOPTION, PROTECTION = "trading/books/reconciliation.py", "trading/books/adoption.py", "trading/order_path/protection.py"
LIVE, LEDGER, HALTS = "trading/order_path/live.py", "trading/books/ledger.py", "trading/control/symbol_halts.py"
INTAKE = "trading/order_path/intake.py"
ARMED, COMING, SETTLING = "trading/control/armed.py", "trading/order_path/coming.py", "trading/order_path/settling.py"
BROKER, DESK, OWN, FILLS = (f"trading/brokers/tiger/{name}.py" for name in ("broker", "desk", "own", "fills"))
WIRE, ERRORS = "quant_site/market/tiger/wire.py", "quant_site/market/tiger/errors.py"


def mutant(name: str, what: str, *edits: tuple[str, str, str]) -> Mutant:
    return Mutant(name, what, tuple(Edit(*edit) for edit in edits))


def silent(check: str) -> tuple[str, str, str]:
    """A check of the gate that says nothing."""
    return GATE, f"def {check}(view: GateView) -> Verdict:\n", f"def {check}(view: GateView) -> Verdict:\n    return None\n"


MUTANTS: tuple[Mutant, ...] = (
    # --- writing ahead, claiming, concluding
    mutant(
        "compare_and_set_removed", "a move does not look whether the row is still as it was read",
        (ROWS, 'where="status = %s AND version = %s"', 'where="%s <> \'\' AND %s >= 0"'),
    ),
    mutant(
        "sent_before_the_claim", "the order leaves before the claim has committed",
        (
            ORDERS, "    if not order_claim(order, broker, look_outside(order, broker)):\n        return order\n    try:\n        ack = broker.place(_request(order))\n",
            "    outside = look_outside(order, broker)\n    order.fence, order.reserved_id = order.fence + 1, outside.reserved_id\n    ack = broker.place(_request(order))\n"
            "    order.fence -= 1\n    if not order_claim(order, broker, outside):\n        return order\n    try:\n        pass\n",
        ),
    ),
    mutant(
        "claim_and_call_in_one_transaction", "a death after the call takes the claim back",
        (ORDERS, "def order_send(order: Order, broker: Broker) -> Order:", "@transaction.atomic\ndef order_send(order: Order, broker: Broker) -> Order:"),
        (ORDERS, "    if blocks and not blocks[-1]._from_testcase:", "    if False:"),
        (STEP, "@transaction.atomic(durable=True)", "@transaction.atomic"),
    ),
    mutant(
        "calls_within_transactions_allowed", "nobody notices a broker that is called within a transaction",
        (ORDERS, "    if blocks and not blocks[-1]._from_testcase:", "    if False:"),
    ),
    mutant(
        "denial_ignored", "the order is sent whatever the claim answered",
        (ORDERS, "    if not order_claim(order, broker, look_outside(order, broker)):\n        return order\n", "    order_claim(order, broker, look_outside(order, broker))\n"),
    ),
    mutant(
        "unclear_counts_as_refused", "a lost reply ends the order as REJECTED",
        (ORDERS, "_conclude(order, OrderStatus.UNKNOWN, f\"{type(error).__name__} while sending\"", "_conclude(order, OrderStatus.REJECTED, f\"{type(error).__name__} while sending\""),
    ),
    mutant(
        "unclear_counts_as_arrived", "a lost reply is taken for an acknowledgement",
        (ORDERS, "_conclude(order, OrderStatus.UNKNOWN, f\"{type(error).__name__} while sending\"", "_conclude(order, OrderStatus.ACKED, f\"{type(error).__name__} while sending\""),
    ),
    mutant(
        "absence_is_final", "what is not found is sent again",
        (ORDERS, "    elif evidence.final:\n", "    else:\n"),
    ),
    mutant(
        "dead_senders_order_is_ready_again", "taking over a claim sends the order again",
        (ORDERS, 'order_move(order, OrderStatus.UNKNOWN, reason="SENDER_DIED"', 'order_move(order, OrderStatus.READY, reason="SENDER_DIED"'),
        (STATES, "S.SENDING: frozenset({S.ACKED,", "S.SENDING: frozenset({S.READY, S.ACKED,"),
    ),
    mutant(
        "lease_ignored", "a claim is taken over while its sender lives",
        (ORDERS, "if not exclusive and order.lease_until is not None and order.lease_until > _wall():", "if False:"),
    ),
    mutant(
        "claims_of_the_dead_are_left", "nobody clears up what a dead sender left",
        (ORDERS, "    if order.status == OrderStatus.SENDING:\n        if not exclusive", "    if order.status == OrderStatus.SENDING:\n        return\n        if not exclusive"),
    ),
    mutant("reserved_id_forgotten", "the number by which the broker knows the order is not written", (STEP, "        reserved_id=outside.reserved_id,\n", "")),
    mutant("events_left_out", "a move leaves no event", (ROWS, "    rows_insert(events)\n", "")),
    mutant(
        "identity_by_chance", "the same intent twice makes two orders",
        (ROWS, 'return hashlib.sha256("\\x1f".join(words).encode()).hexdigest()[:32]', 'return hashlib.sha256(repr((words, id(object()), __import__("uuid").uuid4())).encode()).hexdigest()[:32]'),
    ),
    mutant("another_content_accepted", "the same intent with another content answers the old order", (ROWS, "    if differing and known.split_ratio == 1:", "    if False:")),
    # --- alarms and halts
    mutant("unknown_is_not_told", "nobody hears of an order whose outcome is unknown", (ORDERS, "    if not broker.simulated and order.status == OrderStatus.UNKNOWN:\n        unknown_tell(order)\n", "    return\n")),
    mutant(
        "death_is_not_told", "nobody hears of the order of a dead sender",
        (ORDERS, 'evidence={"owner": order.lease_owner}, **RELEASED)\n            _alarm(order, broker)\n', 'evidence={"owner": order.lease_owner}, **RELEASED)\n'),
    ),
    mutant("halt_without_an_alert", "a symbol is halted and no alert is published", (HALTS, '            event_publish(type="alert.critical", payload=payload, account=account_id)\n', "")),
    mutant("one_halt_for_every_reason", "a second reason to halt a symbol is not told", (HALTS, '    key = f"{account_id}:{symbol}:{code}"\n', '    key = f"{account_id}:{symbol}"\n')),
    mutant("halts_never_end", "evidence does not lift the halt of a symbol", (HALTS, "        ended += _close(halt, \"evidence\")\n", "        ended += 0\n")),
    mutant("account_is_never_halted", "what must stop an account does not", (ROWS, "    reason = f\"{code}: {message}\"[:255]\n    if Account", "    return\n    reason = f\"{code}: {message}\"[:255]\n    if Account")),
    mutant(
        "lost_orders_pass", "an order that the broker forgot halts nothing",
        (ORDERS, "    for lost in sorted(set(ours) - set(reports)):\n", "    for lost in ():\n"),
    ),
    # --- the gate
    mutant("unknown_ignored_by_the_gate", "an order leaves in a symbol whose last order is unknown", silent("unknown_outcome")),
    mutant("confirmation_ignored", "an order that waits for a person leaves", silent("confirmation")),
    mutant("kill_switch_ignored", "a halted account sends", silent("trading_state")),
    mutant("mode_ignored", "an order for real money reaches whatever broker there is", silent("mode")),
    mutant("arming_ignored", "an account that nobody armed sends", silent("armed")),
    mutant("boot_gate_ignored", "orders leave before the books were compared", silent("boot")),
    mutant("hours_ignored", "orders leave while the market is closed", silent("hours")),
    mutant("halted_symbols_ignored", "a halted symbol opens", silent("symbol_halt")),
    mutant("both_sides_allowed", "what is held long is sold short besides", silent("one_side")),
    mutant("runaway_allowed", "an account may send without end", silent("runaway")),
    mutant("claims_without_end", "an order that never arrives is claimed for ever", silent("claims")),
    mutant("arming_outlives_a_restart", "what was armed for an earlier process is armed for this one", (ARMED, ' AND boot_id = (SELECT MAX(id) FROM sender_boots)"', '"')),
    mutant("comparison_outlives_a_restart", "a comparison of an earlier process counts", (STEP, "account_id = %s AND boot_id = (SELECT MAX(id) FROM sender_boots) LIMIT 1", "account_id = %s LIMIT 1")),
    mutant("environment_ignored", "real orders leave where the environment forbids them", (STEP, "        real_allowed=settings.REAL_TRADING,\n", "        real_allowed=True,\n")),
    # --- exposure and the checks of the order
    mutant("risk_not_looked_at", "no limit is looked at when the order is sent", (STEP, "        found = risk(_violations(order, account, broker, others, outside))\n    if isinstance(found, Wait):", "        pass\n    if isinstance(found, Wait):")),
    mutant("exposure_without_unknown", "what is in flight does not count against the limits", (COMING, "OPEN_STATUSES = sorted(OPEN)", 'OPEN_STATUSES = sorted(OPEN - {"UNKNOWN", "SENDING"})')),
    mutant("exposure_without_working", "working orders do not count against the limits", (COMING, "OPEN_STATUSES = sorted(OPEN)", 'OPEN_STATUSES = sorted(OPEN - {"ACKED", "PARTIAL"})')),
    mutant("around_without_unknown", "the gate does not see orders whose outcome is unknown", (STEP, "\"('INTENT', 'READY', 'SENDING', 'UNKNOWN', 'ACKED', 'PARTIAL')\"", "\"('INTENT', 'READY', 'SENDING', 'ACKED', 'PARTIAL')\"")),
    mutant("duplicates_allowed", "a second equal order leaves unconfirmed", (STEP, "    checks = [_duplicate(order, account)]", "    checks = []")),
    mutant("collar_removed", "a limit may lie anywhere", (STEP, "            checks.append(order_checks.price_collar(order.limit_price, price, account.price_collar_pct))", "            pass")),
    mutant("old_quotes_count", "a stale quote is as good as a fresh one", (STEP, "            checks.append(order_checks.quote_age(symbol, quote and quote.at, now, account.quote_max_age))", "            pass")),
    mutant("clocks_may_differ", "the broker's clock is not looked at", (STEP, "        checks.append(order_checks.clock_skew(outside.server_time, now))\n", "")),
    mutant("changes_pass_every_limit", "a change is not held against the limits", (ORDERS, "found = change_verdict(order, wanted, broker, look_outside(order, broker) if order.purpose not in REDUCING else Outside())", "found = None")),
    # --- evidence
    mutant("fill_key_dropped", "a fill that was taken in is taken in again", (EVIDENCE, "    fresh = list({item.fill_id: item for item in executions if item.fill_id not in known}.values())", "    fresh = list(executions)"), (EVIDENCE, "                fill_id=item.fill_id,", "                fill_id=item.fill_id + __import__('uuid').uuid4().hex[:4],"), (EVIDENCE, "    return {row[0] for row in rows}", "    return set()")),
    mutant("fills_told_twice_at_once", "a fill that is told twice in one answer is an error", (EVIDENCE, "    fresh = list({item.fill_id: item for item in executions if item.fill_id not in known}.values())", "    fresh = [item for item in executions if item.fill_id not in known]")),
    mutant("overfill_ignored", "more may be filled than was ordered", (EVIDENCE, "    if added and (order.status in UNFILLABLE or added.excess):", "    if False:")),
    mutant("ended_before_its_fills", "an order ends while fills of it are missing", (EVIDENCE, "status != ended and report.filled_quantity <= filled:", "status != ended:")),
    mutant("filled_by_word", "an order is FILLED because a status says so", (EVIDENCE, "ENDED = {base.CANCELLED:", "ENDED = {base.FILLED: OrderStatus.FILLED, base.CANCELLED:"), (EVIDENCE, "status != ended and report.filled_quantity <= filled:", "status != ended:")),
    mutant("late_fill_loses", "a fill after a cancel changes nothing", (EVIDENCE, "    if fills and order.status not in UNFILLABLE | {OrderStatus.FILLED}:", "    if fills and order.status not in UNFILLABLE | {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED}:")),
    mutant("strange_fills_pass", "a fill of an order that is not ours halts nothing", (EVIDENCE, '            account_halt(account_id, "FILL_OF_UNKNOWN_ORDER", message, fill=item.fill_id)\n', "")),
    mutant("moves_without_fills_unseen", "what ended at the broker without a fill is not taken in", (ORDERS, "    if news or fresh:\n", "    if fresh:\n")),
    mutant("fills_booked_once_or_never", "fills that a dead process wrote are booked by nobody", (ORDERS, "if executions else []", "if fresh else []")),
    mutant("terms_not_adopted", "a changed order stays as it was here", (EVIDENCE, "    if changed:\n        evidence = {name", "    if False:\n        evidence = {name")),
    mutant("cancel_marks_itself", "a cancel that was asked for counts as done", (ORDERS, "    reports = broker.orders(order.account_id, [order.client_order_id])\n    evidence_apply(order.account_id, reports, [])\n    return order_refresh(order)", "    return order_move(order, OrderStatus.CANCELLED, reason=\"REQUESTED\")")),
    mutant("cancel_not_written_down", "the wish to cancel dies with the process", (ORDERS, '        order_note(order, "CANCEL_REQUESTED", {"why": reason}, cancel_requested=True)\n    return order if', '        pass\n    return order if')),
    # --- books
    mutant("booking_key_ignored", "a fill is booked as often as it is told", (LEDGER, "    return [fill for fill, key in zip(fills, keys, strict=True) if key not in booked]", "    return list(fills)"), (LEDGER, 'key=f"fill:{fill.fill_id}", session=session', 'key=f"fill:{fill.fill_id}:{__import__(\'uuid\').uuid4().hex[:6]}", session=session'), (LEDGER, 'key=f"fee:{fill.fill_id}", session=session', 'key=f"fee:{fill.fill_id}:{__import__(\'uuid\').uuid4().hex[:6]}", session=session')),
    mutant("mismatch_adopted_in_silence", "books that differ halt no symbol", (RECONCILIATION, "    for symbol, texts in _by_symbol(differences).items():\n", "    for symbol, texts in ():\n")),
    mutant("books_always_agree", "a comparison finds nothing", (RECONCILIATION, "    differences = _differences(account, broker)\n    if differences:", "    differences = []\n    if differences:")),
    mutant("first_look_counts", "what happened between two looks is a difference", (RECONCILIATION, "        differences = [each for each in _differences(account, broker) if each in differences]\n", "")),
    mutant("strangers_left_alone", "orders of others are not adopted", (RECONCILIATION, "    return [reports[key] for key in sorted(unknown & reports.keys())]", "    return []")),
    mutant("held_elsewhere_left_alone", "positions from elsewhere are not adopted", (RECONCILIATION, "        found += _positions_adopt(account, _priced(broker, _foreign_positions(account, broker)), intake.session)\n", "")),
    mutant("opening_holds_the_days_trades", "what was traded before the first comparison counts twice", (RECONCILIATION, "        cash += sign * fill.amount + fill.commission\n        held[fill.symbol] -= sign * fill.quantity\n", "")),
    mutant("late_fills_are_not_booked", "fills of an earlier session stay out of the books", (INTAKE, "        fills = fills_unbooked(account=self.account, session=self.session)\n", "        fills = [fill for fill in fills_unbooked(account=self.account, session=self.session) if fill.session == self.session]\n")),
    # --- protection
    mutant("protection_does_not_follow", "a stop keeps its quantity when the position changes", (PROTECTION, "and order.remaining == abs(position.quantity)][:1]", "][:1]")),
    mutant("no_stop_is_made", "a position gets a target and no stop", (PROTECTION, "    for purpose, level in ((Purpose.STOP, position.stop_price), (Purpose.TARGET, position.target_price)):\n        wanted", "    for purpose, level in ((Purpose.TARGET, position.target_price),):\n        wanted")),
    mutant("second_stop_besides_the_first", "a new stop does not wait for the end of the old one", (PROTECTION, "        if not any((pk, other) in busy for pk in pks for other in hindering):\n", "        if True:\n")),
    mutant("halted_accounts_are_touched", "protection is changed on a halted account", (PROTECTION, "    if rows_read(Account, (\"state\",), \"id = %s\", account.pk) == [(Account.State.HALTED,)]:\n        return {}\n", "")),
    mutant("orphans_keep_working", "stops of a position that is gone keep working", (PROTECTION, "    plan.cancel += [order.id for order in chain(*of_position.values(), *of_trade.values()) if order.is_open]\n", "")),
    mutant("unprotected_is_not_told", "nobody hears of a position without a stop", (LIVE, "        if pk not in protected and clock.now() - changed > UNPROTECTED_AFTER:", "        if False:")),
    mutant("one_person_settles", "the person who proposes an outcome confirms it", (SETTLING, '    if proposal.evidence["by"] == seen["by"]:', "    if False:")),
    # --- the adapter
    mutant("order_calls_are_repeated", "an order call without an answer is made again", (WIRE, "        self._take(method, patience=0.0, urgent=urgent)\n        data = self._send(method, params)\n", "        self._take(method, patience=0.0, urgent=urgent)\n        try:\n            data = self._send(method, params)\n        except TigerUnclear:\n            data = self._send(method, params)\n")),
    mutant("server_errors_are_refusals", "HTTP 5xx counts as a refusal", (ERRORS, '        return TigerUnclear(f"HTTP_{status}"', '        return TigerRefused(f"HTTP_{status}"'), (ERRORS, "answered with HTTP status {status}.\", limited=status == 429)", "answered with HTTP status {status}.\")")),
    mutant("code_4_is_a_refusal", "a rate limit counts as a refusal", (ERRORS, "RATE_LIMITS = frozenset({4, 5, 429})", "RATE_LIMITS = frozenset({5, 429})"), (ERRORS, "ORDER_REFUSALS = frozenset({1000,", "ORDER_REFUSALS = frozenset({4, 1000,")),
    mutant("silence_is_not_sent", "a timeout counts as not sent", (ERRORS, '    return TigerUnclear("NO_ANSWER", f"No usable answer came from Tiger ({kind}).", kind=kind)', '    return TigerNotSent("NO_ANSWER", f"No usable answer came from Tiger ({kind}).", kind=kind)')),
    mutant("adapter_proves_absence", "what Tiger does not list is said never to have arrived", (BROKER, "return Evidence(self._report(found[0], claims) if found else None, final=False)", "return Evidence(self._report(found[0], claims) if found else None, final=not found)")),
    mutant("total_instead_of_the_new_part", "each look at an order is a fill of all of it", (FILLS, "    fresh = total.quantity - booked.quantity\n", "    fresh = total.quantity\n")),
    mutant("marks_not_sent", "orders leave without our mark and number", (BROKER, "        params.user_mark = request.client_order_id\n        params.order_id = int(request.reserved_id) if request.reserved_id else None\n", "")),
)  # fmt: skip
