"""The parts of the platform that an import passes through, each reduced to what it does.

Texts of log records, errors and exit codes are those of the platform, since others read them.
"""
