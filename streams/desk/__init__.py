"""The abuse desk: what a person sees, says and does while a victim is on the line."""
