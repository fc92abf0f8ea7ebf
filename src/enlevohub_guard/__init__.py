"""Small daemons of the database servers and of the quorum. Each is one file that needs nothing but Python and YAML."""
