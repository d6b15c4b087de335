"""Claims: what papers say one method gains over another, the cells that test it, and what the records say of it."""
