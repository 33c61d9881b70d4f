"""The Tutor plugin `gitreload`."""

__version__ = "0.3.0"
