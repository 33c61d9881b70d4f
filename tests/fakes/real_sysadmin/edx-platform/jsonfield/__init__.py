"""Migrations name the field from here."""

from jsonfield.fields import JSONField

__all__ = ["JSONField"]
