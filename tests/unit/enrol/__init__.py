"""Tests of enrolment: real calls on loopback, real files, the real writer."""
