"""The rules of recognition: they read a text and tell which number in it is a code, and why."""
