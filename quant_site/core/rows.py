"""Reads and writes of the loop's hot path: the statement is made once per process, each call only executes it.

Building a QuerySet and compiling it costs ten times what SQLite needs to answer. These helpers keep the text and the
conversions, which are Django's own, so values are those the ORM would give, on every database.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime
from functools import cache
from typing import TypeVar

from django.db import connections, models

DATABASE = "default"
Row = TypeVar("Row", bound=models.Model)


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


def objects_read(model: type[Row], where: str, *params, lock: bool = False) -> list[Row]:
    """The rows `where` as instances. `lock` keeps others from writing them until the transaction ends."""
    names = _names(model)
    where += lock_words() if lock else ""
    return [model.from_db(DATABASE, names, row) for row in rows_read(model, names, where, *params)]


def objects_follow(rows: Sequence[models.Model], name: str) -> list[models.Model]:
    """Read what the foreign key `name` of `rows` points to, and hang it onto them; answers what was read."""
    if not rows:
        return []
    field = rows[0]._meta.get_field(name)
    wanted = sorted({getattr(row, field.attname) for row in rows} - {None})
    key = field.related_model._meta.pk.column
    found = {item.pk: item for item in objects_read(field.related_model, f"{key} IN {places(wanted)}", *wanted)} if wanted else {}
    for row in rows:
        field.set_cached_value(row, found.get(getattr(row, field.attname)))
    return list(found.values())


def places(values: Collection) -> str:
    """What stands after IN in a condition, for at least one value."""
    return f"({', '.join(['%s'] * len(values))})"


def lock_words() -> str:
    """What locks the rows that a SELECT reads. SQLite needs nothing: its transactions begin with the write lock."""
    connection = connections[DATABASE]
    return f" {connection.ops.for_update_sql()}" if connection.features.has_select_for_update else ""


def rows_update(model: type[models.Model], names: tuple[str, ...], rows: Sequence[tuple], *, where: str = "") -> int:
    """Set columns `names` of several rows; each of `rows` holds the values in that order and then the row's key.

    Values are dates, times, numbers and texts, as precise as their columns. `where` is a further SQL condition, for a
    compare-and-set: the answer is how many rows met it. Its parameters follow the key.
    """
    if not rows:
        return 0
    connection = connections[DATABASE]
    sql = _update(connection.vendor, model, names) + (f" AND {where}" if where else "")
    with connection.cursor() as cursor:
        cursor.executemany(sql, [[_adapt(value, connection) for value in row] for row in rows])
        return cursor.rowcount


def row_insert(row: models.Model) -> None:
    """Insert a row that is known to be new, and give it its id where the database numbers it."""
    connection = connections[DATABASE]
    with connection.cursor() as cursor:
        cursor.execute(_insert(connection.vendor, type(row)), _row_values(row, connection))
        if row._meta.auto_field is not None:
            row.pk = cursor.lastrowid
    row._state.adding, row._state.db = False, DATABASE


def rows_insert(rows: Sequence[models.Model]) -> None:
    """Insert new rows of one model whose ids nobody asks for."""
    if not rows:
        return
    connection = connections[DATABASE]
    with connection.cursor() as cursor:
        cursor.executemany(_insert(connection.vendor, type(rows[0])), [_row_values(row, connection) for row in rows])


def rows_delete(model: type[models.Model], keys: Collection) -> None:
    """Delete rows that nothing refers to."""
    if not keys:
        return
    quote = connections[DATABASE].ops.quote_name
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(f"DELETE FROM {quote(model._meta.db_table)} WHERE {quote(model._meta.pk.column)} IN {places(keys)}", [*keys])


def row_update(row: models.Model) -> None:
    """Write all columns of a row that is there."""
    connection = connections[DATABASE]
    names = tuple(name for name, _ in _columns(connection.vendor, type(row)))
    with connection.cursor() as cursor:
        cursor.execute(_update(connection.vendor, type(row), names), [*_row_values(row, connection), row.pk])


def _row_values(row: models.Model, connection) -> list:
    columns = _columns(connection.vendor, type(row))
    return [getattr(row, name) if save is None else save(getattr(row, name)) for name, save in columns]


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
    return f"UPDATE {quote(model._meta.db_table)} SET {assignments} WHERE {quote(model._meta.pk.column)} = %s"


@cache
def _insert(vendor: str, model: type[models.Model]):
    quote, names = connections[DATABASE].ops.quote_name, tuple(name for name, _ in _columns(vendor, model))
    columns, places = ", ".join(quote(field.column) for field in _fields(model, names)), ", ".join(["%s"] * len(names))
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places})"


@cache
def _names(model: type[models.Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)


@cache
def _columns(vendor: str, model: type[models.Model]) -> list[tuple[str, Callable | None]]:
    """Attribute names but that of a numbered id, each with what its values go through where drivers take others."""
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]
    return [(field.attname, _save(field)) for field in fields]


def _save(field: models.Field) -> Callable | None:
    connection = connections[DATABASE]
    if isinstance(field, models.JSONField):
        return lambda value: field.get_db_prep_save(value, connections[DATABASE])
    if isinstance(field, models.DateTimeField):
        return connection.ops.adapt_datetimefield_value
    return connection.ops.adapt_datefield_value if isinstance(field, models.DateField) else None
