"""Starts as the platform's manage.py does: `manage.py lms --settings=NAME COMMAND…`."""

from __future__ import annotations

import argparse
import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("system", choices=["lms"])
    parser.add_argument("--settings", default="production")
    ours, theirs = parser.parse_known_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = f"{ours.system}.envs.{ours.settings}"
    execute_from_command_line([sys.argv[0], *theirs])


if __name__ == "__main__":
    main()
