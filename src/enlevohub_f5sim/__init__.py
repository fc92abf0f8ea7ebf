"""A BIG-IP for tests and labs: enough of iControl REST and AS3 for the real modules, and a data plane behind it."""
