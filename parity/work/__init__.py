"""The work of a command: planned first, shared by processes, recorded as it comes."""
