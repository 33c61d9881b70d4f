"""What people were told of a job, or are to be."""

from __future__ import annotations

from collections.abc import Sequence

from gitreload.cli import output
from gitreload.cli.output import Brief, short, when_in_table, zoned
from gitreload.ledger import Report


def show_reports(reports: Sequence[Report]) -> None:
    """A table of them, on stdout."""
    output.table(
        ("reporter", zoned("since"), "revision", "mark", "text", "result"),
        [
            (
                each.reporter,
                when_in_table(each.made_at),
                short(each.revision),
                each.mark,
                Brief.cut(each.sentence),
                _became(each),
            )
            for each in reports
        ],
    )


def _became(report: Report) -> str:
    if report.result == "owed" and report.tries:
        return f"owed, after {report.tries} tries: {report.error}"
    return f"refused: {report.error}" if report.result == "refused" else report.result
