"""Files that changed: what counts, what is there, and the hints that something happened."""
