"""Endpoints of trading."""
