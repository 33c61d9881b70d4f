"""Examines courses in OLX, as data that anyone may have pushed."""
