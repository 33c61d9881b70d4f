"""Courses' own Python."""

DEFAULT_PYTHON_LIB_FILENAME = "python_lib.zip"
