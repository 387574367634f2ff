"""The sections of the settings: each setting has a unit (in its name), a default and a reason."""
