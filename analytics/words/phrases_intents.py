"""What plans, alerts and their firings write and refuse, as templates; see `phrases`."""

from django.utils.translation import gettext_noop as _

PLANS = (
    _("A {plan_type} needs an entry price; only MARKET goes without."),
    _("The plan would have expired already: give a time that is still to come."),
    _("{symbol} cannot be traded: it is an index or was barred."),
    _("Account {account} belongs to a replay: it never runs on the live clock."),
    _("Plan {plan} has expired: give it a new time, or make another plan."),
    _("Plan {plan} has expired."),
    _("Plan {plan} is {plan_status}: there is nothing to take back."),
    _("Plan {plan} is {plan_status}: make another one."),
    _("An order of plan {plan} is out: cancel the plan first."),
    _("An order of plan {plan} waits already: confirm it, or cancel the plan."),
    _("The order was denied."),
    _("Order {order} was not confirmed in time: it is {status}."),
    _("Order {order} waits for a confirmation: {why}"),
    _("The {level} must be above zero and at most {most}, not {number}."),
    _("What closes a position has neither stop nor target: leave them empty."),
    _("A {direction} needs stop < entry < target."),
    _("A {direction} needs target < entry < stop."),
    _("Give a quantity: only what closes a position may leave it out, to close all of it."),
    _("The quantity must be a whole number above zero, not {number}."),
    _("A plan that closes has none."),
    _("It needs {levels}."),
    _("Account {account} holds no {symbol}: there is nothing to close."),
    _("Several positions in {symbol} are open: close the one you mean by itself."),
    _("{text} is not a symbol: use letters, digits and . - _ = ^, at most 32, beginning with a letter, a digit or ^."),
)

ALERTS = (
    _("A change in per cent is above 0 for a rise (at most {most}), or between -100 and 0 for a fall."),
    _("The reference must be above zero and at most {most}."),
    _("Only a change in per cent has a reference: leave it empty."),
    _("{column} must be one of {words}, not {text}."),
    _("{column} must be a whole number from 1 to {most}, not {number}."),
    _("{action} does not take {columns}; it takes {all_columns}."),
    _("{action} needs a direction: LONG, SHORT or CLOSE."),
    _("A limit order (LMT) has a limit_price, a market order (MKT) has none."),
    _("The alert was deleted before its action was done."),
    _("The price crossed at {moment} UTC, too long before its action could be done."),
    _("The order waits for a confirmation: {why}"),
    _("{text} fired at {price}."),
)

SENTENCES = (*PLANS, *ALERTS)
