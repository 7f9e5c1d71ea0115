"""Reports: what was found, written as pages for a person to read."""
