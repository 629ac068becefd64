"""`tiersync demo`: five real nodes on loopback do the main job on real records, and an independent reader judges it."""
