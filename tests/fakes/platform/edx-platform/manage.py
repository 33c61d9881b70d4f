"""Starts as the platform's manage.py does: `manage.py lms|cms --settings=NAME COMMAND…`."""

from __future__ import annotations

import argparse
import os


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("system", choices=["lms", "cms"])
    parser.add_argument("--settings")
    ours, theirs = parser.parse_known_args()
    if ours.settings:
        os.environ["DJANGO_SETTINGS_MODULE"] = f"{ours.system}.envs.{ours.settings}"
    os.environ.setdefault("SERVICE_VARIANT", ours.system)

    from edxapp import behaviour, management  # as late as Django's

    behaviour.start()
    management.execute(ours.system, theirs)


if __name__ == "__main__":
    main()
