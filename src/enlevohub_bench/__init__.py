"""Times of the playbooks: how long, how much CPU, how many remote calls."""
