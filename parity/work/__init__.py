"""Work that is planned first, shared by processes, and recorded as it comes."""
