"""Codes and stored English in the reader's language."""
