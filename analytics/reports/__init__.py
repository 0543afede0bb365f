"""A report of an account or a strategy: its figures, its pictures and its plain form."""
