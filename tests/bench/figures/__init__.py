"""One figure (or one family of them) per file; each offers `measure`."""
