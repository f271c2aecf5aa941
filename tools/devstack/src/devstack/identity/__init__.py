"""A small identity provider on this machine: whoever opens its page chooses which of a few sample people to be."""
