from quant_site.core.rows import row_insert, row_update, rows_read, rows_update

__all__ = ["row_insert", "row_update", "rows_read", "rows_update"]
