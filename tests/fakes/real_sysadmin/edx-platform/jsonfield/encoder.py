"""For an argument in a migration."""


class JSONEncoder:
    pass
