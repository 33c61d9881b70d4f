"""A field that holds JSON as text."""

from __future__ import annotations

from typing import Any

from django.db import models


class JSONField(models.JSONField):
    """Django's own does the same; the migrations name arguments that it does not know."""

    def __init__(self, *args: Any, dump_kwargs: Any = None, load_kwargs: Any = None, **more: Any):
        super().__init__(*args, **more)
