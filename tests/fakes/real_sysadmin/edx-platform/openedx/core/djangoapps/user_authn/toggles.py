"""For pages that no command shows."""


def is_require_third_party_auth_enabled() -> bool:
    return False
