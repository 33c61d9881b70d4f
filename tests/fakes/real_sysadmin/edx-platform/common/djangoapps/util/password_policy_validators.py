"""For pages that no command shows."""


def normalize_password(password: str) -> str:
    return password
