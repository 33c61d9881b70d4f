"""A push becomes a course before your eyes: `make demo`."""
