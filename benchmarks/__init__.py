"""Measurements beside other libraries. Never part of a test: a machine is never twice the same."""
