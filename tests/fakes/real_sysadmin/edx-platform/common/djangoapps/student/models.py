"""For pages that no command shows."""


class UserProfile:
    pass
