"""The writes of trading's books in one place; each is keyword-only, atomic, and changes nothing when it runs twice.

Orders are written by `trading.orders` and moved by evidence only.
"""

from trading.equity import equity_snapshot
from trading.journal import journal_complete, journal_review
from trading.ledger import account_fund, activities_book, fills_book, positions_mark

__all__ = ["account_fund", "activities_book", "equity_snapshot", "fills_book", "journal_complete", "journal_review", "positions_mark"]
