"""The parts of the platform that `git_add_course` passes through, each reduced to what it does.

Texts of log records, errors and exit codes are those of the platform, since others read them.
"""
