"""The tables of the settings file: each setting with its unit (in the name), default and reason."""
