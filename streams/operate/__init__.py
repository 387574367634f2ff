"""Commands for those who run it: why, what was refused, is all well, what would have been."""
