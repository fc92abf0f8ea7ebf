"""Load and faults on a running lab, and what the users notice of it."""
