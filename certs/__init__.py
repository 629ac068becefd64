"""Who is speaking: keys, certificates, enrolment, revocation, signature suites."""
