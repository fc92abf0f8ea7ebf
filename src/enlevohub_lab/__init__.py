"""The lab: a datacenter of containers on one machine, made and removed by one command."""
