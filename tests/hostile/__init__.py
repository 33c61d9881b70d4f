"""Hostile input, sent over sockets to the installed command. Each table is one kind of attack."""
