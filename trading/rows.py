"""Reads and writes of the books' hot path: the statement is made once per process, each call only executes it.

Building a QuerySet and compiling it costs ten times what SQLite needs to answer. These helpers keep the text and the
conversions, which are Django's own, so values are those the ORM would give, on every database.
"""

from collections.abc import Sequence
from datetime import date, datetime
from functools import cache

from django.db import connections, models

DATABASE = "default"


def rows_read(model: type[models.Model], names: tuple[str, ...], where: str, *params) -> list[tuple]:
    """Columns `names` (attribute names, "signal_id" for a foreign key) of the rows `where`, an SQL condition with its
    order and limit. Dates are passed as dates, and come back as dates; amounts as Decimals."""
    connection = connections[DATABASE]
    sql, converters = _select(connection.vendor, model, names, where)
    with connection.cursor() as cursor:
        cursor.execute(sql, [_adapt(value, connection) for value in params])
        rows = cursor.fetchall()
    if not rows or not converters:
        return list(rows)
    columns = list(zip(*rows, strict=True))
    for at, step, expression in converters:
        columns[at] = [step(value, expression, connection) for value in columns[at]]
    return list(zip(*columns, strict=True))


def rows_update(model: type[models.Model], names: tuple[str, ...], rows: Sequence[tuple]) -> None:
    """Set columns `names` of several rows; each of `rows` holds the values in that order and then the row's id.

    Values are dates, times, numbers and texts, as precise as their columns.
    """
    if not rows:
        return
    connection = connections[DATABASE]
    sql = _update(connection.vendor, model, names)
    with connection.cursor() as cursor:
        cursor.executemany(sql, [[_adapt(value, connection) for value in row] for row in rows])


def row_insert(row: models.Model) -> None:
    """Insert a row that is known to be new, and give it its id. Values as in `rows_update`."""
    connection = connections[DATABASE]
    sql, names = _insert(connection.vendor, type(row))
    with connection.cursor() as cursor:
        cursor.execute(sql, [_adapt(getattr(row, name), connection) for name in names])
        row.pk = cursor.lastrowid
    row._state.adding, row._state.db = False, DATABASE


def _adapt(value, connection):
    """The one conversion that drivers leave to Django: days and times as the text its columns hold."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value.isoformat() if isinstance(value, date) else value


def _fields(model: type[models.Model], names: tuple[str, ...]) -> list[models.Field]:
    by_name = {field.attname: field for field in model._meta.concrete_fields}
    return [by_name[name] for name in names]


@cache
def _select(vendor: str, model: type[models.Model], names: tuple[str, ...], where: str):
    connection, fields, converters = connections[DATABASE], _fields(model, names), []
    for at, field in enumerate(fields):
        column = field.get_col(model._meta.db_table)
        steps = [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
        converters += [(at, step, column) for step in steps]
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    return f"SELECT {columns} FROM {connection.ops.quote_name(model._meta.db_table)} WHERE {where}", converters


@cache
def _update(vendor: str, model: type[models.Model], names: tuple[str, ...]):
    quote = connections[DATABASE].ops.quote_name
    assignments = ", ".join(f"{quote(field.column)} = %s" for field in _fields(model, names))
    return f"UPDATE {quote(model._meta.db_table)} SET {assignments} WHERE id = %s"


@cache
def _insert(vendor: str, model: type[models.Model]):
    quote, fields = connections[DATABASE].ops.quote_name, [field for field in model._meta.concrete_fields if not field.primary_key]
    columns, places = ", ".join(quote(field.column) for field in fields), ", ".join(["%s"] * len(fields))
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places})"
    return sql, [field.attname for field in fields]
