"""Raw things (a picture, later a text, a row, a series) turned into samples."""
