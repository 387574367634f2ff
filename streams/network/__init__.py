"""Small services that combine the output of all partitions. One process at a time runs each."""
