"""The checks, a file each: what is asked of an adapter, as a list of problems."""
