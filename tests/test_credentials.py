from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gitreload.credentials import Secret, UnfitSecretError

FIRST = "first-secret-of-some-length"
SECOND = "second-secret-of-some-length"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{FIRST}\n")
    return path


def test_a_value_is_read_as_it_is() -> None:
    secret = Secret("  grüße, grüße  ")
    assert secret.read() == "  grüße, grüße  ".encode()
    assert "grüße" not in repr(secret)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_line_end_of_a_file_does_not_belong_to_it(file: Path, end: str) -> None:
    file.write_bytes(f"{FIRST}{end}".encode())
    secret = Secret(file=file)
    assert secret.read() == FIRST.encode()
    assert repr(secret) == f"Secret({{'FILE': '{file}'}})"


@pytest.mark.parametrize("value", ["", " \n\t", "x" * 11, " " * 30, "lone \ud800 surrogate"])
def test_an_unfit_one_is_refused_and_not_quoted(file: Path, value: str) -> None:
    with pytest.raises(UnfitSecretError) as caught:
        Secret(value)
    assert not value.strip() or value not in str(caught.value)
    file.write_text(value, errors="replace")
    if value.isascii():
        with pytest.raises(UnfitSecretError, match=str(file)):
            Secret(file=file)


@pytest.mark.parametrize(("value", "short"), [("x" * 12, True), ("x" * 20, False)])
def test_a_short_one_can_be_told(value: str, short: bool) -> None:
    assert Secret(value).short == short


def test_a_changed_file_is_read_again(file: Path) -> None:
    secret = Secret(file=file)
    file.write_text(SECOND)
    assert secret.read() == SECOND.encode()
    fresh = file.with_suffix(".new")
    fresh.write_text(FIRST)
    fresh.rename(file)  # as Kubernetes and careful people do
    assert secret.read() == FIRST.encode()


@pytest.mark.parametrize("trouble", ["away", "empty", "a directory"])
def test_the_last_good_value_stays_and_the_log_says_so_once(
    file: Path, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    secret = Secret(file=file)
    file.unlink()
    if trouble == "empty":
        file.touch()
    elif trouble == "a directory":
        file.mkdir()
    with caplog.at_level(logging.WARNING):
        assert [secret.read(), secret.read()] == [FIRST.encode()] * 2
    [message] = caplog.messages
    assert str(file) in message
    assert FIRST not in message

    if trouble == "a directory":
        file.rmdir()
    file.write_text(SECOND)
    assert secret.read() == SECOND.encode()
    file.unlink()
    assert secret.read() == SECOND.encode()
    assert len(caplog.messages) == 2  # a new cause after a recovery
