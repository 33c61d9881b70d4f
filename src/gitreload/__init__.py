"""gitreload: push webhooks in, current checkouts and imported courses out."""

__version__ = "0.3.0"
