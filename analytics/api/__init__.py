"""Endpoints for judgements."""
