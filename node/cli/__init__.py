"""The command line `tiersync`: a module per group of commands. What is slow to import is imported where it is used."""
