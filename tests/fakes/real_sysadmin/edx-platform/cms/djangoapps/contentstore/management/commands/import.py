"""`manage.py cms import`, which the plugin calls from the LMS."""  # noqa: N999 (the command's name)

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from edxapp import behaviour, studio


class Command(BaseCommand):
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("data_directory")
        parser.add_argument("course_dirs", nargs="*")
        parser.add_argument("--nostatic", action="store_true")
        parser.add_argument("--nopythonlib", action="store_true")
        parser.add_argument("--python-lib-filename", default="python_lib.zip")

    def handle(self, *_: Any, **options: Any) -> None:
        forced = behaviour.now().git_error
        if forced == "XML_IMPORT_FAILED":
            raise CommandError
        if forced == "UNSUPPORTED_STORE":
            raise NotImplementedError
        studio.import_courses(
            options["data_directory"],
            options["course_dirs"],
            static=not options["nostatic"],
            python_lib=None if options["nopythonlib"] else options["python_lib_filename"],
        )
