"""EnlevoHub API: a stateless REST service over PostgreSQL."""

__version__ = "1.0.0"
