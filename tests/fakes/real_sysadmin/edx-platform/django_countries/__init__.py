"""For a form that no command shows."""

countries: tuple[str, ...] = ()
