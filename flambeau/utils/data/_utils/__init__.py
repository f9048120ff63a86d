"""Parts of the DataLoader: collation, fetching, worker processes and their transport."""
