from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.deployment import deployment

pytest.register_assert_rewrite("hostile.target", "hostile.wire")

from hostile.target import Target, lay_out  # noqa: E402 - after the line above


@pytest.fixture(scope="package")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One server for all attacks: after any of them it has to take the next one."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        environment.setenv("GIT_CONFIG_NOSYSTEM", "1")
        for who in ("AUTHOR", "COMMITTER"):
            environment.setenv(f"GIT_{who}_NAME", "Ada Author")
            environment.setenv(f"GIT_{who}_EMAIL", "ada@example.org")
        with deployment(tmp_path_factory.mktemp("hostile") / "host") as here:
            lay_out(here)
            made = Target(here)
            made.slow.start()
            yield made
            made.check_at_the_end()
