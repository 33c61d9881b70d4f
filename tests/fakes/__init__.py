"""Stand-ins for what cannot run on a development machine, and content for them to work on."""
