"""One module for each page: its queries, and what its template shows of their rows."""
