"""The listed words: what names a code, in which language, and whose a number is."""
