"""Telling people: alarms and what moved in tasks, by e-mail or to a messenger's or SMS gateway's address.

notes      what is told, in words, and when it is not (quiet hours): pure
templates  how a messenger wants it, as data
sending    by SMTP, by HTTP
following  what waits, what was told, trying again
"""
