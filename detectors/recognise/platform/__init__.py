"""Find whose code it is: the registry of platforms, names in texts, and shared senders."""
