"""Between which two releases of a framework an entry of the catalogue changes."""
