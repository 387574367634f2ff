"""The Faust application: its one agent, what it reads, shows and watches."""
