"""What is said of orders made by hand, of orders whose outcome is unknown, and of books that do not agree; see `phrases`."""

from django.utils.translation import gettext_noop as _

# What no order can be.
TICKETS = (
    _("What closes or reduces names the position that it closes."),
    _("Order {order} is {status}: there is nothing to confirm."),
    _("Order {order} waits for no confirmation."),
    _("It sells options: {symbols}."),
    _("It trades {amount}, more than {limit}."),
    _("Account {account} belongs to a replay: nobody orders on it by hand."),
    _("{symbol} is not known here: import its bars first (manage.py import_bars PATH)."),
    _("The {level} must be above zero, not {number}."),
    _("The {level} {number} is on the wrong side: it belongs above {reference}."),
    _("The {level} {number} is on the wrong side: it belongs below {reference}."),
    _("The stop and the target are the wrong way round."),
    _("Order {order} already stands for this intent, with another {content}."),
    _("An order needs a quantity above zero, not {number}."),
    _("This type of order needs {level} price."),
    _("This type of order has no {level} price."),
    _("A {level} price must be above zero, not {number}."),
    _("Order {order} is no longer {status}: read it again."),
    _("Only {held} {symbol} are held, not {number}."),
    _("Say what you saw at the broker, and where, in at most 200 characters."),
    _("Choose what became of the order."),
    _("Give plain numbers."),
)

# Why a figure of a preview is missing.
PREVIEWS = (
    _("Without a stop a short sale can lose any amount."),
    _("There is no price of every symbol it trades."),
    _("There is no price of {symbol}."),
    _("The account cannot be looked at without market data."),
    _("It closes or reduces."),
    _("It takes an entry, a stop and a target."),
    _("The stop is on the wrong side of the price."),
)

# Changes, and the word of two people.
CHANGES = (
    _("Order {order} was not sent yet: cancel it and order what you want."),
    _("Order {order} is {status} and can no longer be changed."),
    _("Give a quantity, a limit_price or a stop_price."),
    _("The quantity must be a whole number above what is filled ({number}); else cancel the order."),
    _("An order of type {order_type} has no {column}."),
    _("The {column} must be above zero."),
    _("Order {order} is {status}: its outcome is known."),
    _("An order that works has an id at the broker: give it."),
    _("You proposed this yourself: another person must confirm it."),
    _("SETTLED: {outcome} by {proposed_by} and {confirmed_by}"),
    _("The confirmation is too old; give your password again."),
    _("This confirmation has been used; give your password again."),
)

# Why a symbol is halted, and what of the books differs.
BOOKS = (
    _("Nobody knows what became of order {order} ({text}). It is not sent again; look it up at the broker."),
    _("Position {position} in {symbol} has no stop that works at the broker."),
    _("The broker works on order {order}, which stands nowhere here"),
    _("The broker does not know order {order}, which it had acknowledged."),
    _("The broker does not know order {order}, which it had acknowledged"),
    _("Order {order} is filled otherwise"),
    _("Position in {symbol}"),
    _("{exception} while sending"),
    _("The broker filled {order}, which is no order of ours."),
    _("The broker filled {text}, which is no part of order {order}."),
    _("Order {order} is {status}, {filled} of {number} {symbol} are filled."),
)

SENTENCES = (*TICKETS, *PREVIEWS, *CHANGES, *BOOKS)
